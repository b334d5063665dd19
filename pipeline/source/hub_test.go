package source

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// hubServer serves repositories as the Hugging Face hub does: trees in pages of two, large files from another address.
type hubServer struct {
	mu       sync.Mutex
	files    map[string]string // by repository@commit, a space and the path
	large    func(path string) bool
	stores   string // where large files are; "": here
	token    string // asked for where it is not ""
	failures map[string]int
	asked    []string
	spoil    func(path, content string) string
}

func newHub(t *testing.T) *hubServer {
	s := &hubServer{failures: map[string]int{}, large: func(p string) bool { return path.Ext(p) == ".parquet" }, files: map[string]string{}}
	for name, content := range map[string]string{
		"README.md": "Read me\n", "data/a.txt": "one", "data/b.txt": "two", "data/c.txt": "three", "data/d e.txt": "four", "data/x.parquet": "PAR1", "data/deep/e.txt": "five", "empty.txt": "",
	} {
		s.files["datasets/owner/books@"+commit+" "+name] = content
	}
	s.files["owner/model@"+commit+" vocab.json"] = "{}"
	s.files["owner/model@"+commit+" .gitattributes"] = "* text"
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("HF_ENDPOINT", server.URL+"/")
	t.Setenv("HF_TOKEN", "")
	hasten(t)
	return s
}

func (s *hubServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	if code := s.failures[r.URL.Path]; code != 0 {
		if code > 0 {
			delete(s.failures, r.URL.Path)
		}
		w.WriteHeader(max(code, -code))
		return
	}
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		} else {
			w.WriteHeader(http.StatusForbidden)
		}
		return
	}
	if repository, folder, ok := strings.Cut(r.URL.Path, "/tree/"+commit); ok {
		s.tree(w, r, strings.TrimPrefix(strings.TrimPrefix(repository, "/api/"), "models/"), strings.Trim(folder, "/"))
		return
	}
	if repository, name, ok := strings.Cut(r.URL.Path, "/resolve/"+commit+"/"); ok {
		content, known := s.files[strings.Trim(repository, "/")+"@"+commit+" "+name]
		if !known {
			http.NotFound(w, r)
			return
		}
		if s.large(name) && r.URL.Query().Get("stored") == "" {
			http.Redirect(w, r, s.stores+r.URL.Path+"?stored=yes", http.StatusFound)
			return
		}
		if s.spoil != nil {
			content = s.spoil(name, content)
		}
		w.Write([]byte(content))
		return
	}
	http.NotFound(w, r)
}

func (s *hubServer) tree(w http.ResponseWriter, r *http.Request, repository, folder string) {
	var all []map[string]any
	for name, content := range s.files {
		in, file, _ := strings.Cut(name, " ")
		rel, below := strings.CutPrefix("/"+file, strings.TrimSuffix("/"+folder, "/")+"/")
		if in != repository+"@"+commit || !below {
			continue
		}
		if first, _, deeper := strings.Cut(rel, "/"); deeper && r.URL.Query().Get("recursive") != "true" {
			all = append(all, map[string]any{"type": "directory", "path": path.Join(folder, first), "oid": "", "size": 0})
			continue
		}
		e := map[string]any{"type": "file", "path": file, "size": len(content), "oid": fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)))}
		if s.large(file) {
			e["oid"], e["lfs"] = "of a pointer", map[string]any{"oid": fmt.Sprintf("%x", sha256.Sum256([]byte(content))), "size": len(content), "pointerSize": 130}
		}
		all = append(all, e)
	}
	if all == nil {
		http.NotFound(w, r)
		return
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(a["path"].(string), b["path"].(string)) })
	all = slices.CompactFunc(all, func(a, b map[string]any) bool { return a["path"] == b["path"] }) // folders
	from := 0
	fmt.Sscan(r.URL.Query().Get("cursor"), &from)
	if to := from + 2; to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<http://elsewhere.invalid%s?recursive=%s&cursor=%d>; rel="next"`, r.URL.Path, r.URL.Query().Get("recursive"), to))
		all = all[:to]
	}
	json.NewEncoder(w).Encode(all[from:])
}

// fetched fetches and lists the files that came, with what they hold.
func fetched(t *testing.T, name string) (string, error) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "file0")
	if err := downloads(t).FetchHub(t.Context(), to, name); err != nil {
		return "", err
	}
	var all []string
	err := filepath.WalkDir(to, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(to, p)
		content, err := os.ReadFile(p)
		all = append(all, filepath.ToSlash(rel)+"="+string(content))
		return err
	})
	return strings.Join(all, " "), err
}

func TestHub(t *testing.T) {
	newHub(t)
	books := "datasets/owner/books@" + commit
	for _, c := range []struct{ name, want string }{
		{books + " README.md", ".=Read me\n"},
		{books + " data/d e.txt", ".=four"},
		{books + " data/x.parquet", ".=PAR1"},
		{books + " empty.txt", ".="},
		{"owner/model@" + commit + " vocab.json", ".={}"},
		{books + " data/*.txt", "data/a.txt=one data/b.txt=two data/c.txt=three data/d e.txt=four"},
		{books + " data/**/*.txt", "data/a.txt=one data/b.txt=two data/c.txt=three data/d e.txt=four data/deep/e.txt=five"},
		{books + " *.{md,json}", "README.md=Read me\n"},
		{books + " */deep/?.txt", "data/deep/e.txt=five"},
		{"owner/model@" + commit + " **", ".gitattributes=* text vocab.json={}"},
	} {
		if got, err := fetched(t, c.name); err != nil || got != c.want {
			t.Errorf("%s gives %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, want string }{
		{books + " data/z.txt", `hf("` + books + `", "data/z.txt"): ` + books + " has no such file; there are data/a.txt, data/b.txt, data/c.txt, data/d e.txt and 2 more"},
		{books + " data", `it is a folder: write "data/**" for all files in it`},
		{books + " dat", "has no such file; there are README.md, data, empty.txt"},
		{books + " data/*.json", "has no such file; there are data/a.txt"},
		{books + " none/a.txt", "has no folder none, or there is no such repository or commit"},
		{"owner/none@" + commit + " a.txt", "404 Not Found: there is no such repository"},
	} {
		if got, err := fetched(t, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives %q and error %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestHubToken: the token opens what is not open to all, and no error tells it.
func TestHubToken(t *testing.T) {
	s := newHub(t)
	s.token = "hf_right"
	for token, want := range map[string]string{
		"":         "it is not open to all: set HF_TOKEN",
		"hf_wrong": "the token in HF_TOKEN may not read it",
	} {
		t.Setenv("HF_TOKEN", token)
		_, err := fetched(t, "owner/model@"+commit+" vocab.json")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hf_") {
			t.Errorf("with the token %q: %v, want %q", token, err, want)
		}
	}
	t.Setenv("HF_TOKEN", "hf_right\n")
	if got, err := fetched(t, "owner/model@"+commit+" vocab.json"); err != nil || got != ".={}" {
		t.Errorf("with the token: %q, %v", got, err)
	}
}

// TestHubStores: the place that large files come from is another one, which gets no token.
func TestHubStores(t *testing.T) {
	s := newHub(t)
	s.token = "hf_right"
	t.Setenv("HF_TOKEN", s.token)
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
			t.Errorf("asked with %q", r.Header)
		}
		w.Write([]byte("PAR1"))
	}))
	defer elsewhere.Close()
	s.stores = elsewhere.URL
	if got, err := fetched(t, "datasets/owner/books@"+commit+" data/x.parquet"); err != nil || got != ".=PAR1" || asked != 1 {
		t.Errorf("%q, %v, after asking %d times", got, err, asked)
	}
}

// TestHubRetries: a server that is busy is asked again, a few times; one that refuses is not.
func TestHubRetries(t *testing.T) {
	s := newHub(t)
	const tree, file = "/api/models/owner/model/tree/" + commit, "/owner/model/resolve/" + commit + "/vocab.json"
	for _, code := range []int{429, 500, 503} {
		s.failures = map[string]int{tree: code, file: code}
		if got, err := fetched(t, "owner/model@"+commit+" vocab.json"); err != nil || got != ".={}" {
			t.Errorf("after %d: %q, %v", code, got, err)
		}
	}
	for _, c := range []struct{ code, times int }{{503, attempts}, {429, attempts}, {403, 1}, {404, 1}} {
		s.failures, s.asked = map[string]int{file: -c.code}, nil
		_, err := fetched(t, "owner/model@"+commit+" vocab.json")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(c.code)) || len(s.asked) != 1+c.times {
			t.Errorf("always %d: %v, asked for %q", c.code, err, s.asked)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	if err := downloads(t).FetchHub(ctx, filepath.Join(t.TempDir(), "f"), "owner/model@"+commit+" vocab.json"); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
}

// TestHubDamaged: bytes that are not those of the commit are none, of small files and of large ones.
func TestHubDamaged(t *testing.T) {
	s := newHub(t)
	books := "datasets/owner/books@" + commit
	s.spoil = func(_, content string) string { return strings.ToLower(content[:1]) + content[1:] }
	for name, want := range map[string]string{"data/x.parquet": "came with the digest", "README.md": "came with the digest"} {
		if got, err := fetched(t, books+" "+name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	cut := true
	s.spoil = func(_, content string) string {
		if cut {
			cut = false
			return content[:1]
		}
		return content
	}
	if got, err := fetched(t, books+" README.md"); err != nil || got != ".=Read me\n" {
		t.Errorf("cut short once: %q, %v", got, err)
	}
}

// TestHubResumes: files of a folder that are there already are not asked for again, and a part of one is gone on with.
func TestHubResumes(t *testing.T) {
	s := newHub(t)
	d := downloads(t)
	name := "datasets/owner/books@" + commit + " data/*.{txt,parquet}"
	s.failures = map[string]int{"/datasets/owner/books/resolve/" + commit + "/data/c.txt": 403}
	if err := d.FetchHub(t.Context(), filepath.Join(t.TempDir(), "f"), name); err == nil || !strings.Contains(err.Error(), "403") {
		t.Fatalf("error %v", err)
	}
	s.asked = nil
	var done, total, fresh int64
	d.Progress = func(a, b, c int64) { done, total, fresh = a, b, c }
	to := filepath.Join(t.TempDir(), "f")
	if err := d.FetchHub(t.Context(), to, name); err != nil {
		t.Fatal(err)
	}
	for _, path := range s.asked {
		if strings.HasSuffix(path, "a.txt") || strings.HasSuffix(path, "b.txt") {
			t.Errorf("asked for %s again", path)
		}
	}
	if all := int64(len("onetwothreefourPAR1")); done != all || total != all || fresh != int64(len("threefourPAR1")) {
		t.Errorf("%d of %d bytes, %d of them new", done, total, fresh)
	}
}

func TestParseHub(t *testing.T) {
	for _, c := range []struct{ address, repository, file string }{
		{"owner/model@C", "owner/model@C", "**"},
		{"owner/model@C/", "owner/model@C", "**"},
		{"datasets/owner/name@C/data/a b@1.txt", "datasets/owner/name@C", "data/a b@1.txt"},
		{"datasets/owner/name@C/data/*.parquet", "datasets/owner/name@C", "data/*.parquet"},
		{"datasets/owner/name/data/a.txt", "datasets/owner/name/data/a.txt", "**"},
	} {
		if repository, file := ParseHub(c.address); repository != c.repository || file != c.file {
			t.Errorf("%s is %q and %q", c.address, repository, file)
		}
	}
}

func TestCheckHub(t *testing.T) {
	for _, c := range []struct{ repository, file, want string }{
		{"datasets/owner/books@" + commit, "data/*.txt", ""},
		{"owner/model@" + commit, "a/b.json", ""},
		{"gpt@" + commit, "a.json", ""},
		{"owner/model@main", "a", `"owner/model@main" names no commit, and what a branch or a tag names may change: write the 40 digits behind the @, which ` + "`git ls-remote https://huggingface.co/owner/model main` prints"},
		{"datasets/owner/books", "a", "`git ls-remote https://huggingface.co/datasets/owner/books HEAD` prints"},
		{"owner/model@" + commit[:12], "a", "names no commit"},
		{"../model@" + commit, "a", "is no repository"},
		{"https://huggingface.co/owner/model@" + commit, "a", "is no repository"},
		{"owner/model@" + commit, "/a", "is no path in a repository"},
		{"owner/model@" + commit, "../a", "is no path in a repository"},
		{"owner/model@" + commit, ".", "is no path in a repository"},
		{"owner/model@" + commit, "a[", "is not a pattern"},
	} {
		err := CheckHub(c.repository, c.file)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v, want %q", c.repository, c.file, err, c.want)
		}
	}
}
