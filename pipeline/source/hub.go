package source

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"anneal/artifacts/store"
)

var (
	hubRepository = regexp.MustCompile(`^(datasets/)?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$`)
	hubCommit     = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// CheckHub returns an error unless repository is one of the Hugging Face hub at a commit, such as owner/model@ or
// datasets/owner/name@ and its 40 digits, and file a path in it, or a pattern of paths. A branch or a tag would name other
// bytes tomorrow.
func CheckHub(repository, file string) error {
	name, commit, _ := strings.Cut(repository, "@")
	if !hubRepository.MatchString(name) {
		return fmt.Errorf("%q is no repository: write owner/model@COMMIT or datasets/owner/name@COMMIT", repository)
	}
	if !hubCommit.MatchString(commit) {
		branch := commit
		if branch == "" {
			branch = "HEAD"
		}
		return fmt.Errorf("%q names no commit, and what a branch or a tag names may change: write the 40 digits behind the @, which `git ls-remote https://huggingface.co/%s %s` prints", repository, name, branch)
	}
	if !fs.ValidPath(file) || file == "." {
		return fmt.Errorf("%q is no path in a repository: it starts at its root, is parted by slashes and has no \"..\"", file)
	}
	if !doublestar.ValidatePattern(file) {
		return fmt.Errorf("%q is not a pattern: [ and { want their ends", file)
	}
	return nil
}

// ParseHub takes an address of the hub apart, without the hf:// before it: owner/model@COMMIT/path into owner/model@COMMIT and path.
// Without a path it means all files, "**".
func ParseHub(address string) (repository, file string) {
	name, rest, pinned := strings.Cut(address, "@")
	if !pinned {
		return address, "**"
	}
	commit, file, _ := strings.Cut(rest, "/")
	return name + "@" + commit, cmp.Or(file, "**")
}

// FetchHub fetches what name gives, as "repository@commit path", to the path to: a file, or for a pattern a folder with the
// files that match, each below its path in the repository. It asks the hub's HTTP API at HF_ENDPOINT, with the token in
// HF_TOKEN, and checks every byte against the digests that the commit has: SHA-256 of large files, those of git of others.
func (d *Downloads) FetchHub(ctx context.Context, to, name string) error {
	repository, file, _ := strings.Cut(name, " ")
	err := fetchHub(ctx, *d, to, repository, file)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("hf(%q, %q): %w", repository, file, err)
	}
	return nil
}

func fetchHub(ctx context.Context, d Downloads, to, repository, file string) error {
	h := hub{endpoint: strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/")}
	h.client = client{token: strings.TrimSpace(os.Getenv("HF_TOKEN")), refusal: h.refusal, tell: d.Tell}
	if h.endpoint == "" {
		h.endpoint = "https://huggingface.co"
	}
	h.name, h.commit, _ = strings.Cut(repository, "@")
	folder, pattern := doublestar.SplitPattern(file)
	several := strings.ContainsAny(pattern, "*?[{")
	entries, err := h.tree(ctx, folder, several && strings.Contains(pattern, "/") || strings.Contains(pattern, "**"))
	if err != nil {
		return err
	}
	var beside []string
	var total int64
	found := slices.DeleteFunc(entries, func(e hubEntry) bool {
		matches := e.Path == file
		if several {
			matches, _ = doublestar.Match(file, e.Path)
		}
		if matches && e.Type == "file" {
			total += e.Size
			return false
		}
		beside = append(beside, e.Path)
		return true
	})
	if len(found) == 0 && slices.Contains(beside, file) {
		return fmt.Errorf("it is a folder: write %q for all files in it", file+"/**")
	}
	if len(found) == 0 {
		return errors.New(repository + " has no such file" + few(beside))
	}
	if !several {
		return d.fetch(ctx, &h.client, h.remote(found[0]), to)
	}
	var before, fresh int64
	tell := d.Progress
	for _, e := range found {
		if !filepath.IsLocal(filepath.FromSlash(e.Path)) {
			return fmt.Errorf("%s has a file of the name %q, which leads elsewhere", repository, e.Path)
		}
		part := filepath.Join(to, filepath.FromSlash(e.Path))
		if err := os.MkdirAll(filepath.Dir(part), 0o777); err != nil {
			return err
		}
		came := int64(0)
		d.Progress = func(done, _, new int64) {
			came = new
			tell(before+done, total, fresh+new)
		}
		if err := d.fetch(ctx, &h.client, h.remote(e), part); err != nil {
			return err
		}
		before, fresh = before+e.Size, fresh+came
	}
	return nil
}

// few names some of what is there instead of a file.
func few(names []string) string {
	const most = 4
	slices.Sort(names)
	switch more := len(names) - most; {
	case len(names) == 0:
		return ""
	case more > 0:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(names[:most], ", "), more)
	}
	return "; there are " + strings.Join(names, ", ")
}

// hub is a repository at a commit, as a server tells of it.
type hub struct {
	client
	endpoint, name, commit string
}

// hubEntry is a file or a folder of a repository.
type hubEntry struct {
	Type string `json:"type"` // file, directory
	Path string `json:"path"`
	Size int64  `json:"size"`
	OID  string `json:"oid"` // of git
	LFS  *struct {
		OID string `json:"oid"` // SHA-256 of the content
	} `json:"lfs"`
}

// largestPage bounds the bytes of a page of a list.
const largestPage = 64 << 20

// tree lists a folder, page by page.
func (h *hub) tree(ctx context.Context, folder string, recursive bool) ([]hubEntry, error) {
	api := h.name
	if !strings.HasPrefix(api, "datasets/") {
		api = "models/" + api
	}
	address := h.endpoint + "/api/" + api + "/tree/" + h.commit
	if folder != "." {
		address += "/" + escapePath(folder)
	}
	query := "recursive=" + strconv.FormatBool(recursive)
	var all []hubEntry
	for query != "" {
		var page []hubEntry
		err := h.get(ctx, address+"?"+query, nil, func(r *http.Response) error {
			query = nextPage(r.Header)
			text, err := io.ReadAll(io.LimitReader(r.Body, largestPage))
			if err != nil {
				return &transientError{error: fmt.Errorf("%s: %w", place(address), err)}
			}
			if err := json.Unmarshal(text, &page); err != nil {
				return fmt.Errorf("%s answers with something that is no list of files: %w", place(address), err)
			}
			return nil
		})
		var status *statusError
		if errors.As(err, &status) && status.code == http.StatusNotFound && folder != "." {
			return nil, fmt.Errorf("%s@%s has no folder %s, or there is no such repository or commit", h.name, h.commit, folder)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

// nextPage returns the query of the page that follows, which a header Link: <address?query>; rel="next" names.
func nextPage(header http.Header) string {
	for _, link := range strings.Split(strings.Join(header.Values("Link"), ","), ",") {
		address, rest, ok := strings.Cut(strings.TrimSpace(link), ">")
		if next, err := url.Parse(strings.TrimPrefix(address, "<")); ok && err == nil && strings.Contains(rest, `rel="next"`) {
			return next.RawQuery
		}
	}
	return ""
}

// remote is where the bytes of a file are, and what they are.
func (h *hub) remote(e hubEntry) remote {
	address := h.endpoint + "/" + h.name + "/resolve/" + h.commit + "/" + escapePath(e.Path)
	if e.LFS != nil {
		if key, err := store.ParseDigest(e.LFS.OID); err == nil {
			return remote{address, e.Size, key, sha256.New, e.LFS.OID}
		}
	}
	git := func() hash.Hash {
		sum := sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", e.Size)
		return sum
	}
	return remote{address, e.Size, sha256.Sum256([]byte("git blob " + e.OID)), git, e.OID}
}

func escapePath(p string) string {
	parts := strings.Split(path.Clean(p), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// refusal says what an answer means that brings nothing.
func (h *hub) refusal(code int) string {
	switch {
	case code == http.StatusUnauthorized && h.token == "":
		return "there is no such repository, or it is not open to all: set HF_TOKEN to a token of somebody who may read it"
	case code == http.StatusUnauthorized:
		return "the token in HF_TOKEN is not a valid one, or there is no such repository"
	case code == http.StatusForbidden && h.token == "":
		return "accept the terms on the repository's page, and set HF_TOKEN to a token of yours"
	case code == http.StatusForbidden:
		return "the token in HF_TOKEN may not read it; where the repository's page has terms, accept them"
	case code == http.StatusNotFound:
		return "there is no such repository, or it has no such commit or file"
	}
	return ""
}
