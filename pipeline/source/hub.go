package source

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
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
	"time"

	"github.com/bmatcuk/doublestar/v4"
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

// FetchHub fetches what name gives, as "repository@commit path", to the path to: a file, or for a pattern a folder with the
// files that match, each below its path in the repository. It asks the hub's HTTP API at HF_ENDPOINT, with the token in
// HF_TOKEN, and checks every byte against the digests that the commit has: SHA-256 of large files, those of git of others.
func FetchHub(ctx context.Context, to, name string) error {
	repository, file, _ := strings.Cut(name, " ")
	err := fetchHub(ctx, to, repository, file)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("hf(%q, %q): %w", repository, file, err)
	}
	return nil
}

func fetchHub(ctx context.Context, to, repository, file string) error {
	h := hub{endpoint: strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"), token: strings.TrimSpace(os.Getenv("HF_TOKEN"))}
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
	found := slices.DeleteFunc(entries, func(e hubEntry) bool {
		matches := e.Path == file
		if several {
			matches, _ = doublestar.Match(file, e.Path)
		}
		if matches && e.Type == "file" {
			return false
		}
		beside = append(beside, e.Path)
		return true
	})
	if len(found) == 0 {
		return errors.New(repository + " has no such file" + few(beside))
	}
	if !several {
		return h.file(ctx, found[0], to)
	}
	for _, e := range found {
		if !filepath.IsLocal(filepath.FromSlash(e.Path)) {
			return fmt.Errorf("%s has a file of the name %q, which leads elsewhere", repository, e.Path)
		}
		part := filepath.Join(to, filepath.FromSlash(e.Path))
		if err := os.MkdirAll(filepath.Dir(part), 0o777); err != nil {
			return err
		}
		if err := h.file(ctx, e, part); err != nil {
			return err
		}
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
type hub struct{ endpoint, token, name, commit string }

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

// tree lists a folder, page by page.
func (h hub) tree(ctx context.Context, folder string, recursive bool) ([]hubEntry, error) {
	api := h.name
	if !strings.HasPrefix(api, "datasets/") {
		api = "models/" + api
	}
	place := h.endpoint + "/api/" + api + "/tree/" + h.commit
	if folder != "." {
		place += "/" + escapePath(folder)
	}
	query := "recursive=" + strconv.FormatBool(recursive)
	var all []hubEntry
	for query != "" {
		var page []hubEntry
		err := h.get(ctx, place+"?"+query, func(r *http.Response) error {
			query = nextPage(r.Header)
			text, err := io.ReadAll(r.Body)
			if err != nil {
				return &transientError{err}
			}
			return json.Unmarshal(text, &page)
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

// file fetches a file and checks its bytes.
func (h hub) file(ctx context.Context, e hubEntry, to string) error {
	return h.get(ctx, h.endpoint+"/"+h.name+"/resolve/"+h.commit+"/"+escapePath(e.Path), func(r *http.Response) error {
		f, err := os.Create(to) // what an attempt before left is cut off
		if err != nil {
			return err
		}
		var sum hash.Hash
		want := e.OID
		if e.LFS != nil {
			sum, want = sha256.New(), e.LFS.OID
		} else {
			sum = sha1.New()
			fmt.Fprintf(sum, "blob %d\x00", e.Size)
		}
		n, err := io.Copy(io.MultiWriter(f, sum), r.Body)
		if err = errors.Join(err, f.Close()); err != nil {
			return &transientError{err}
		}
		if n != e.Size {
			return &transientError{fmt.Errorf("%s came with %d bytes, the commit has %d", e.Path, n, e.Size)}
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			return fmt.Errorf("%s came with the digest %s, the commit has %s", e.Path, got, want)
		}
		return os.Chmod(to, 0o444)
	})
}

func escapePath(p string) string {
	parts := strings.Split(path.Clean(p), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// statusError is an answer of a server that is not what was asked for.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// transientError may not come again.
type transientError struct{ error }

func (e *transientError) Unwrap() error { return e.error }

// hubAttempts is how often something is asked for, hubPause how long the first pause between two attempts is; each further
// one is twice as long.
const hubAttempts = 5

var hubPause = time.Second

// longestPause bounds what a server may ask for.
const longestPause = time.Minute

var hubClient = &http.Client{Transport: patientTransport()}

func patientTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = time.Minute
	return t
}

// get asks for an address until it answers, and hands on the answer.
func (h hub) get(ctx context.Context, address string, take func(*http.Response) error) error {
	pause := hubPause
	for attempt := 1; ; attempt++ {
		wait, err := h.once(ctx, address, take)
		var transient *transientError
		if err == nil || ctx.Err() != nil || !errors.As(err, &transient) {
			return err
		}
		if attempt == hubAttempts {
			return fmt.Errorf("%w, %d times", err, attempt)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(max(pause, wait)):
		}
		pause *= 2
	}
}

// once asks once. wait is how long the server wants to be left alone.
func (h hub) once(ctx context.Context, address string, take func(*http.Response) error) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	if h.token != "" {
		request.Header.Set("Authorization", "Bearer "+h.token) // which another host that it leads to does not get
	}
	r, err := hubClient.Do(request)
	if err != nil {
		return 0, &transientError{err}
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusOK {
		return 0, take(r)
	}
	says := &statusError{r.StatusCode, fmt.Sprintf("%s answers %s", request.URL.Redacted(), r.Status)}
	switch {
	case r.StatusCode == http.StatusUnauthorized && h.token == "":
		says.text += ": there is no such repository, or it is not open to all: set HF_TOKEN to a token of somebody who may read it"
	case r.StatusCode == http.StatusUnauthorized:
		says.text += ": the token in HF_TOKEN is not a valid one, or there is no such repository"
	case r.StatusCode == http.StatusForbidden && h.token == "":
		says.text += ": accept the terms on the repository's page, and set HF_TOKEN to a token of yours"
	case r.StatusCode == http.StatusForbidden:
		says.text += ": the token in HF_TOKEN may not read it; where the repository's page has terms, accept them"
	case r.StatusCode == http.StatusNotFound:
		says.text += ": there is no such repository, or it has no such commit or file"
	case r.StatusCode == http.StatusTooManyRequests || r.StatusCode >= 500:
		if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
			wait = min(time.Duration(seconds)*time.Second, longestPause)
		}
		return wait, &transientError{says}
	}
	return 0, says
}
