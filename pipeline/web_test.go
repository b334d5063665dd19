package pipeline_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestWebSource: a file of the web is its digest, wherever it lies, and another file is none.
func TestWebSource(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "text") }))
	defer server.Close()
	s := newStudy(t)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("text")))
	blocks := func(path, sum string) string {
		return fmt.Sprintf("word \"w\" {\n  text = \"\"\n  file = [https(%q, %q)]\n}", server.URL+path, sum)
	}
	expect(t, s.run(blocks("/a.txt?x=1", sum)), "progress word.w\nprogress word.w\ndone word.w\n")
	r := s.result("word.w")
	if text, err := s.st.Read(r.Outputs["out"]); err != nil || string(text) != "text" {
		t.Errorf("the stage read %q, %v", text, err)
	}
	if facts := fmt.Sprint(r.Key); !strings.Contains(facts, "{https file.0 "+sum+"}") {
		t.Errorf("the facts are %s", facts)
	}
	expect(t, s.plan(blocks("/mirror/b.txt", strings.ToUpper(sum))), "cached word.w:\n")

	wrong := fmt.Sprintf("%x", sha256.Sum256([]byte("Text")))
	expect(t, s.plan(blocks("/a.txt", wrong)), "run word.w: file: content of "+server.URL+"/a.txt changed\n")
	got := s.run(blocks("/a.txt", wrong))
	if want := fmt.Sprintf("fail word.w file.0 cannot be read: %s/a.txt came with the digest %s, and was to have %s", server.URL, sum, wrong); !strings.Contains(got, want) {
		t.Errorf("says\n%swant\n%s", got, want)
	}
	for _, pattern := range []string{"results/*/*", "fetch/*"} { // of the first file
		if left, _ := filepath.Glob(filepath.Join(s.st.Dir(), pattern)); len(left) != 1 {
			t.Errorf("%s: %q", pattern, left)
		}
	}
}

// TestHubAddress: an address of the hub is what the function is.
func TestHubAddress(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	s := newStudy(t)
	plan := func(source string) string {
		t.Helper()
		g, err := s.load(`word "w" { file = [` + source + `] }`)
		if err != nil {
			t.Fatal(err)
		}
		return g.Plan(s.st)[0].Key.String()
	}
	for address, call := range map[string]string{
		`"hf://datasets/owner/name@` + commit + `/data/*.parquet"`: `hf("datasets/owner/name@` + commit + `", "data/*.parquet")`,
		`"hf://owner/model@` + commit + `/vocab.json"`:             `hf("owner/model@` + commit + `", "vocab.json")`,
		`"hf://owner/model@` + commit + `"`:                        `hf("owner/model@` + commit + `", "**")`,
	} {
		if a, b := plan(address), plan(call); a != b {
			t.Errorf("%s is not %s", address, call)
		}
	}
}
