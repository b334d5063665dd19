package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anneal/artifacts/store"
)

// hasten makes pauses short, and returns how long they were to be.
func hasten(t *testing.T) *[]time.Duration {
	pauses := new([]time.Duration)
	before := pause
	pause = func(_ context.Context, d time.Duration) { *pauses = append(*pauses, d) }
	t.Cleanup(func() { pause = before })
	return pauses
}

// downloads fetches into a store of its own.
func downloads(t *testing.T) *Downloads { return downloadsIn(t.TempDir()) }

func downloadsIn(dir string) *Downloads {
	return &Downloads{Store: store.Open(filepath.Join(dir, ".anneal")), Tell: func(string) {}, Progress: func(_, _, _ int64) {}}
}

// book is what is fetched here, and its digest.
var (
	book    = strings.Repeat("Call me what you like. ", 50000)
	bookSum = fmt.Sprintf("%x", sha256.Sum256([]byte(book)))
)

// script is a server whose answers, each to one request, are written down; what it is asked behind the last, it answers like that.
type script struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	ranges  []string // asked for
	URL     string
}

func play(t *testing.T, answers ...http.HandlerFunc) *script {
	s := &script{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL + "/book.txt?token=verysecret"
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answers[min(len(s.ranges), len(s.answers)-1)]
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	s.mu.Unlock()
	answer(w, r)
}

// serve answers as file servers do, with the range asked for.
func serve(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "book.txt", time.Time{}, strings.NewReader(content))
	}
}

// cutAfter breaks the connection after n bytes of what another answer has.
func cutAfter(n int, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer(&cutting{w, n}, r)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	c.left -= n
	return len(p), err
}

// whole ignores ranges.
func whole(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, content) }
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// TestDownload: whatever a server does, the bytes that come are those that were asked for, or there are none and the error says
// why, without what may be secret.
func TestDownload(t *testing.T) {
	other := strings.Repeat("Other words. ", 100000)
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		ranges  string // asked for, in this order
		err     string // "" where the book comes
	}{
		"at once":                           {[]http.HandlerFunc{serve(book)}, `[""]`, ""},
		"cut once":                          {[]http.HandlerFunc{cutAfter(1000, serve(book)), serve(book)}, `["" "bytes=1000-"]`, ""},
		"cut more often than is asked":      {[]http.HandlerFunc{cutAfter(1, serve(book)), cutAfter(1, serve(book)), cutAfter(1, serve(book)), cutAfter(1, serve(book)), cutAfter(1, serve(book)), cutAfter(1, serve(book)), serve(book)}, `["" "bytes=1-" "bytes=2-" "bytes=3-" "bytes=4-" "bytes=5-" "bytes=6-"]`, ""},
		"cut and told no length":            {[]http.HandlerFunc{cutAfter(1000, whole(book)), serve(book)}, `["" "bytes=1000-"]`, ""},
		"ranges ignored":                    {[]http.HandlerFunc{cutAfter(1000, serve(book)), whole(book)}, `["" "bytes=1000-"]`, ""},
		"always cut where ranges are not":   {[]http.HandlerFunc{cutAfter(1000, whole(book))}, `["" "bytes=1000-" "bytes=1000-" "bytes=1000-" "bytes=1000-"]`, "book.txt: unexpected EOF, 5 times"},
		"range not satisfiable":             {[]http.HandlerFunc{cutAfter(1000, serve(book)), status(416), serve(book)}, `["" "bytes=1000-" ""]`, ""},
		"another range than asked for":      {[]http.HandlerFunc{cutAfter(1000, serve(book)), status(206, "Content-Range", "bytes 5-9/10"), serve(book)}, `["" "bytes=1000-" ""]`, ""},
		"replaced in the middle":            {[]http.HandlerFunc{cutAfter(1000, serve(other)), serve(book), serve(book)}, `["" "bytes=1000-" ""]`, ""},
		"busy":                              {[]http.HandlerFunc{status(429), status(500), status(503), serve(book)}, `["" "" "" ""]`, ""},
		"busy for long":                     {[]http.HandlerFunc{status(503)}, `["" "" "" "" ""]`, "book.txt answers 503 Service Unavailable, 5 times"},
		"not for all":                       {[]http.HandlerFunc{status(403)}, `[""]`, "book.txt answers 403 Forbidden: it is not open to all; fetch it by other means, and write the path of the file"},
		"gone":                              {[]http.HandlerFunc{status(404)}, `[""]`, "book.txt answers 404 Not Found: there is no such file, or no longer"},
		"other bytes":                       {[]http.HandlerFunc{serve(other)}, `[""]`, fmt.Sprintf("book.txt came with the digest %x, and was to have %s", sha256.Sum256([]byte(other)), bookSum)},
		"other bytes twice":                 {[]http.HandlerFunc{cutAfter(1000, serve(other)), serve(other)}, `["" "bytes=1000-" ""]`, "and was to have " + bookSum},
		"led on":                            {[]http.HandlerFunc{status(302, "Location", "/elsewhere?signature=verysecret"), serve(book)}, `["" ""]`, ""},
		"led on and refused":                {[]http.HandlerFunc{status(302, "Location", "/elsewhere?signature=verysecret"), status(403)}, `["" ""]`, "answers 403"},
		"led on in circles":                 {[]http.HandlerFunc{status(302, "Location", "/elsewhere?signature=verysecret")}, `["" "" "" "" "" "" "" "" "" ""]`, "leads from one address to another, and so on, ten times"},
		"led out of this machine, in plain": {[]http.HandlerFunc{status(302, "Location", "http://elsewhere.invalid/x?signature=verysecret")}, `[""]`, "leads to http://elsewhere.invalid/x, which is not encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			hasten(t)
			s, d := play(t, c.answers...), downloads(t)
			var told strings.Builder
			d.Tell = func(text string) { told.WriteString(text + "\n") }
			to := filepath.Join(t.TempDir(), "file0")
			err := d.FetchHTTPS(t.Context(), to, s.URL, bookSum)
			if got := fmt.Sprintf("%q", s.ranges); got != c.ranges {
				t.Errorf("asked for the ranges %s, want %s", got, c.ranges)
			}
			if strings.Contains(told.String()+fmt.Sprint(err), "verysecret") {
				t.Errorf("tells a secret: %s%v", &told, err)
			}
			if c.err == "" {
				if got, _ := os.ReadFile(to); err != nil || string(got) != book {
					t.Errorf("%d bytes came, %v", len(got), err)
				}
				if info, err := os.Stat(to); err == nil && info.Mode().Perm() != 0o444 {
					t.Errorf("the file has the mode %s", info.Mode())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Error("left a file")
			}
			if strings.HasPrefix(name, "other bytes") {
				if left, _ := filepath.Glob(filepath.Join(d.Store.Dir(), "fetch", "*")); left != nil {
					t.Errorf("left %q", left)
				}
			}
		})
	}
}

// TestPauses: pauses double, unless the server asks for longer ones, in seconds or by a date; what it may ask for is bounded.
func TestPauses(t *testing.T) {
	pauses := hasten(t)
	s := play(t, status(429, "Retry-After", "7"), status(503), status(503, "Retry-After", time.Now().Add(300*time.Hour).UTC().Format(http.TimeFormat)), status(503, "Retry-After", "soon"), serve(book))
	if err := downloads(t).FetchHTTPS(t.Context(), filepath.Join(t.TempDir(), "f"), s.URL, bookSum); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{7 * time.Second, 2 * time.Second, longestPause, 8 * time.Second}; !slices.Equal(*pauses, want) {
		t.Errorf("paused %v, want %v", *pauses, want)
	}
}

// TestSilence: a connection over which nothing comes is given up, and the rest asked for.
func TestSilence(t *testing.T) {
	hasten(t)
	before := patience
	patience = 50 * time.Millisecond
	defer func() { patience = before }()
	s := play(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(book)))
		io.WriteString(w, book[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, serve(book))
	d := downloads(t)
	var told []string
	d.Tell = func(text string) { told = append(told, text) }
	to := filepath.Join(t.TempDir(), "f")
	err := d.FetchHTTPS(t.Context(), to, s.URL, bookSum)
	if got, _ := os.ReadFile(to); err != nil || string(got) != book {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if len(told) == 0 || !strings.Contains(told[0], "book.txt: nothing came for 50ms; asks again in 1s") {
		t.Errorf("told %q", told)
	}
}

// TestKept: what has come once is not fetched again, while it is as it was.
func TestKept(t *testing.T) {
	hasten(t)
	s, d := play(t, serve(book)), downloads(t)
	fetch := func(asked int) {
		t.Helper()
		to := filepath.Join(t.TempDir(), "f")
		err := d.FetchHTTPS(t.Context(), to, s.URL, bookSum)
		if got, _ := os.ReadFile(to); err != nil || string(got) != book || len(s.ranges) != asked {
			t.Errorf("%d bytes came, %v, and the server was asked %q", len(got), err, s.ranges)
		}
	}
	fetch(1)
	fetch(1)
	key, _ := store.ParseDigest(bookSum)
	kept := d.Store.FetchPath(key)
	if err := errors.Join(os.Chmod(kept, 0o666), os.WriteFile(kept, []byte("Damaged words. "), 0o666), os.Chmod(kept, 0o444)); err != nil {
		t.Fatal(err)
	}
	fetch(2)
}

// TestProgress: what is told of bytes adds up, also where some were there.
func TestProgress(t *testing.T) {
	hasten(t)
	s, d := play(t, cutAfter(1000, serve(book)), serve(book)), downloads(t)
	var done, total, fresh int64
	d.Progress = func(a, b, c int64) {
		if a < done || b != int64(len(book)) || c != a {
			t.Errorf("%d of %d bytes, %d of them new, after %d", a, b, c, done)
		}
		done, total, fresh = a, b, c
	}
	err := d.FetchHTTPS(t.Context(), filepath.Join(t.TempDir(), "f"), s.URL, bookSum)
	if n := int64(len(book)); err != nil || done != n || total != n || fresh != n {
		t.Errorf("%d of %d bytes, %d of them new, %v", done, total, fresh, err)
	}
}

// fetchFor is the environment variable that makes TestFetchOf fetch for another process: a folder, an address and a digest.
const fetchFor = "ANNEAL_TEST_FETCH"

func TestFetchOf(t *testing.T) {
	if order := strings.Fields(os.Getenv(fetchFor)); len(order) == 3 {
		if err := downloadsIn(order[0]).FetchHTTPS(context.Background(), filepath.Join(order[0], "f"), order[1], order[2]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilled: a process that is killed as it fetches leaves what has come to the next one.
func TestKilled(t *testing.T) {
	hasten(t)
	reached := make(chan bool)
	s := play(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(book)))
		io.WriteString(w, book[:300000])
		w.(http.Flusher).Flush()
		close(reached)
		<-r.Context().Done()
	}, serve(book))
	dir := t.TempDir()
	other := exec.Command(os.Args[0], "-test.run=^TestFetchOf$")
	other.Env = append(os.Environ(), fetchFor+"="+dir+" "+s.URL+" "+bookSum)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	key, _ := store.ParseDigest(bookSum)
	d := downloadsIn(dir)
	for size := int64(0); size < 300000; { // until the other has written what came
		if info, err := os.Stat(d.Store.FetchPath(key)); err == nil {
			size = info.Size()
		}
	}
	if _, free, err := d.Store.TryLock(key); err != nil || free {
		t.Errorf("the other one holds no lock: %v", err)
	}
	other.Process.Kill()
	other.Wait()
	to := filepath.Join(dir, "f")
	err := d.FetchHTTPS(t.Context(), to, s.URL, bookSum)
	if got, _ := os.ReadFile(to); err != nil || string(got) != book || s.ranges[1] != "bytes=300000-" {
		t.Errorf("%d bytes came, %v; asked for the ranges %q", len(got), err, s.ranges)
	}
}

// TestStopped: a fetch that is told to stop says why, and keeps what has come.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	s, d := play(t, cutAfter(1000, serve(book)), serve(book)), downloads(t)
	d.Tell = func(string) { cancel(reason) }
	if err := d.FetchHTTPS(ctx, filepath.Join(t.TempDir(), "f"), s.URL, bookSum); err != reason {
		t.Errorf("error %v", err)
	}
	if err := d.FetchHTTPS(t.Context(), filepath.Join(t.TempDir(), "f"), s.URL, bookSum); err != nil || fmt.Sprintf("%q", s.ranges) != `["" "bytes=1000-"]` {
		t.Errorf("asked for the ranges %q, %v", s.ranges, err)
	}
}

// TestFetchedOnce: of several that want one file at once, one fetches it.
func TestFetchedOnce(t *testing.T) {
	s, d := play(t, serve(book)), downloads(t)
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			if err := d.FetchHTTPS(t.Context(), filepath.Join(dir, fmt.Sprint(i)), s.URL, bookSum); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(s.ranges) != 1 {
		t.Errorf("asked for the ranges %q", s.ranges)
	}
}

// TestRedirectsAndTokens: a host that a server leads to gets no token, and no encrypted connection leads to one in plain.
func TestRedirectsAndTokens(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"https://hub.invalid/a", "https://hub.invalid/b?x", "Bearer token"},
		{"https://hub.invalid/a", "https://files.hub.invalid/a", ""},
		{"https://hub.invalid/a", "https://hub.invalid:8443/a", ""},
		{"https://hub.invalid/a", "http://hub.invalid/a?x", "leads to http://hub.invalid/a, which is not encrypted"},
		{"https://hub.invalid/a", "http://localhost/a", "leads to http://localhost/a, which is not encrypted"},
		{"http://127.0.0.1/a", "http://127.0.0.1/b", "Bearer token"},
		{"http://127.0.0.1/a", "http://[::1]/b", ""},
		{"http://127.0.0.1/a", "http://hub.invalid/b", "which is not encrypted"},
		{"http://hub.invalid/a", "http://hub.invalid/b", "Bearer token"},
	} {
		first, _ := http.NewRequest(http.MethodGet, c.from, nil)
		next, _ := http.NewRequest(http.MethodGet, c.to, nil)
		next.Header.Set("Authorization", "Bearer token")
		next.Header.Set("Referer", c.from)
		if err := follow(next, []*http.Request{first}); err != nil {
			if c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("from %s to %s: %v, want %q", c.from, c.to, err, c.want)
			}
		} else if got := next.Header.Get("Authorization"); got != c.want || next.Header.Get("Referer") != "" {
			t.Errorf("from %s to %s with the headers %q", c.from, c.to, next.Header)
		}
	}
}

// proxied is the environment variable that makes TestProxyOf ask the hub for another process.
const proxied = "ANNEAL_TEST_PROXIED"

func TestProxyOf(t *testing.T) {
	if os.Getenv(proxied) == "" {
		return
	}
	hasten(t)
	if got, err := fetched(t, "owner/model@"+commit+" vocab.json"); err != nil || got != ".={}" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestProxy: the proxy that the environment names is asked, here for a host that nobody else knows.
func TestProxy(t *testing.T) {
	s := newHub(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "hub.invalid" || r.Header.Get("Proxy-Authorization") == "" {
			t.Errorf("asked for %s", r.URL)
		}
		s.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("user", "verysecret")
	other := exec.Command(os.Args[0], "-test.run=^TestProxyOf$") // the environment is read once a process
	other.Env = append(os.Environ(), proxied+"=yes", "HTTP_PROXY="+at.String(), "HF_ENDPOINT=http://hub.invalid")
	if out, err := other.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if len(s.asked) != 2 {
		t.Errorf("the proxy was asked for %q", s.asked)
	}
	proxy.Close()
	other = exec.Command(os.Args[0], "-test.run=^TestProxyOf$")
	other.Env = append(os.Environ(), proxied+"=yes", "HTTP_PROXY="+at.String(), "HF_ENDPOINT=http://hub.invalid")
	if out, err := other.CombinedOutput(); err == nil || strings.Contains(string(out), "verysecret") {
		t.Errorf("without a proxy: %v\n%s", err, out)
	}
}

func TestCheckHTTPS(t *testing.T) {
	for _, c := range []struct{ address, sum, want string }{
		{"https://example.org/a.txt", bookSum, ""},
		{"https://example.org/a.txt?b=c", strings.ToUpper(bookSum), ""},
		{"http://127.0.0.1:8080/a.txt", bookSum, ""},
		{"http://localhost/a.txt", bookSum, ""},
		{"http://[::1]/a.txt", bookSum, ""},
		{"http://example.org/a.txt?token=verysecret", bookSum, "must start with https://, and is http://example.org/a.txt"},
		{"ftp://example.org/a.txt", bookSum, "must start with https://, and is ftp://example.org/a.txt"},
		{"a.txt", bookSum, "is no address"},
		{"https://user:very%secret@example.org", bookSum, "is no address"},
		{"https://user:verysecret@example.org/a.txt", bookSum, "holds a user name or a password"},
		{"https://example.org/a.txt", "", "must be the SHA-256 of the file"},
		{"https://example.org/a.txt?token=verysecret", bookSum[1:], "64 hexadecimal digits, and is \"" + bookSum[1:] + "\": `curl -L 'https://example.org/a.txt' | sha256sum` prints it"},
		{"https://example.org/a.txt", "g" + bookSum[1:], "64 hexadecimal digits"},
		{"https://example.org/a.txt", "sha256:" + bookSum, "64 hexadecimal digits"},
	} {
		err := CheckHTTPS(c.address, c.sum)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s %s: %v, want %q", c.address, c.sum, err, c.want)
		}
	}
}
