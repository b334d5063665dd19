package pipeline_test

import (
	"crypto/sha1"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHubSource: a file of the hub is planned by its commit, fetched by the stage that reads it, and the token is kept nowhere.
func TestHubSource(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	const blocks = `word "w" { file = [hf("datasets/owner/books@` + commit + `", "data/a.txt")] }`
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("HF_TOKEN", "hf_verysecret")
	s := newStudy(t)
	expect(t, s.plan(blocks), "run word.w: never run\n")

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hf_verysecret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/api/datasets/owner/books/tree/" + commit + "/data":
			fmt.Fprintf(w, `[{"type":"file","path":"data/a.txt","size":4,"oid":"%x"}]`, sha1.Sum([]byte("blob 4\x00text")))
		case "/datasets/owner/books/resolve/" + commit + "/data/a.txt":
			fmt.Fprint(w, "text")
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	t.Setenv("HF_ENDPOINT", server.URL)
	expect(t, s.run(blocks), "progress word.w\nprogress word.w\ndone word.w\n") // bytes as they came, and that they are there
	facts := fmt.Sprint(s.result("word.w").Key)
	if want := "{hf file.0 datasets/owner/books@" + commit + " data/a.txt}"; !strings.Contains(facts, want) {
		t.Errorf("the facts are %s, want %s", facts, want)
	}
	expect(t, s.plan(strings.Replace(blocks, "a.txt", "b.txt", 1)), "run word.w: file: hf datasets/owner/books@"+commit+" data/a.txt → hf datasets/owner/books@"+commit+" data/b.txt\n")

	err := filepath.WalkDir(s.st.Dir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "verysecret") {
			t.Errorf("%s holds the token", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.load(strings.Replace(blocks, commit, "main", 1)); err == nil || !strings.Contains(err.Error(), "git ls-remote https://huggingface.co/datasets/owner/books main") {
		t.Errorf("a branch: %v", err)
	}
}
