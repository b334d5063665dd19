package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// client asks a server, and asks again where it is busy or the connection breaks.
type client struct {
	token   string                // sent to the server itself, and to none that it leads to
	refusal func(code int) string // what an answer means, "" where its own name says enough
	tell    func(text string)
}

// attempts is how often something is asked for without a byte coming, firstPause how long the first pause between two
// attempts is; each further one is twice as long.
const (
	attempts   = 5
	firstPause = time.Second
)

// longestPause bounds what a server may ask for.
const longestPause = 10 * time.Minute

// patience is how long nothing may come over a connection.
var patience = time.Minute

// pause waits, but no longer than ctx.
var pause = func(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// transientError may not come again.
type transientError struct {
	error
	wait  time.Duration // as long as the server wants to be left alone
	moved bool          // more has come than ever before
}

func (e *transientError) Unwrap() error { return e.error }

// statusError is an answer of a server that is not what was asked for.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// get asks for an address until it answers, and hands on the answer. Its body may break off with a *transientError. prepare, which may be
// nil, completes each request; one for a range may be answered with 206 and 416 too.
func (c *client) get(ctx context.Context, address string, prepare func(*http.Request), take func(*http.Response) error) error {
	wait := firstPause
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, address, prepare, take)
		var transient *transientError
		if err == nil || ctx.Err() != nil || !errors.As(err, &transient) {
			return err
		}
		if transient.moved {
			attempt, wait = 1, firstPause
		}
		if attempt == attempts {
			return fmt.Errorf("%w, %d times", err, attempt)
		}
		now := max(wait, transient.wait)
		c.tell(fmt.Sprintf("%s; asks again in %s", err, now.Round(time.Second)))
		pause(ctx, now)
		wait *= 2
	}
}

// once asks once.
func (c *client) once(ctx context.Context, address string, prepare func(*http.Request), take func(*http.Response) error) error {
	silence := fmt.Errorf("%s: nothing came for %s", place(address), patience)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(patience, func() { cancel(silence) })
	defer watch.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New(place(address) + " is no address")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if prepare != nil {
		prepare(request)
	}
	r, err := web.Do(request)
	if err == nil {
		defer r.Body.Close()
		r.Body = &watched{r.Body, watch}
		if err = c.answer(request, r); err == nil {
			err = take(r)
		}
	} else {
		err = broken(address, err)
	}
	var transient *transientError
	if errors.As(err, &transient) && context.Cause(ctx) == silence {
		transient.error = silence
	}
	return err
}

// answer returns an error unless r has what was asked for.
func (c *client) answer(request *http.Request, r *http.Response) error {
	code := r.StatusCode
	ranged := request.Header.Get("Range") != "" && (code == http.StatusPartialContent || code == http.StatusRequestedRangeNotSatisfiable)
	if code == http.StatusOK || ranged {
		return nil
	}
	says := &statusError{code, fmt.Sprintf("%s answers %d %s", place(request.URL.String()), code, http.StatusText(code))}
	if code == http.StatusTooManyRequests || code >= 500 {
		return &transientError{error: says, wait: min(retryAfter(r.Header.Get("Retry-After")), longestPause)}
	}
	if why := c.refusal(code); why != "" {
		says.text += ": " + why
	}
	return says
}

// retryAfter reads a header of that name: seconds, or a date.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(longestPause/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return time.Until(at)
	}
	return 0
}

// broken says why no answer came. What the error of net/http quotes of addresses may hold secrets.
func broken(address string, err error) error {
	var quoted *url.Error
	if errors.As(err, &quoted) {
		err = quoted.Err
	}
	err = fmt.Errorf("%s: %w", place(address), err)
	var certificate *tls.CertificateVerificationError
	var turn *wrongTurn
	if errors.As(err, &certificate) || errors.As(err, &turn) {
		return err
	}
	return &transientError{error: err}
}

// place prints an address without what may be secret in it: user, password and query.
func place(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// watched is a body whose every read is a sign of life.
type watched struct {
	io.ReadCloser
	watch *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.watch.Reset(patience)
	return n, err
}

// web follows redirects and uses the proxies that the environment names. Bytes come as they are stored, for a range of them is
// of those.
var web = &http.Client{Transport: plainTransport(), CheckRedirect: follow}

func plainTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return t
}

// wrongTurn is a redirect that is not followed.
type wrongTurn struct{ text string }

func (e *wrongTurn) Error() string { return e.text }

// follow says whether a redirect may be followed, and sees to it that no other host gets the token.
func follow(next *http.Request, before []*http.Request) error {
	last := before[len(before)-1].URL
	switch {
	case len(before) == 10:
		return &wrongTurn{"leads from one address to another, and so on, ten times"}
	case next.URL.Scheme != "https" && (last.Scheme == "https" || isLoopback(last) && !isLoopback(next.URL)):
		return &wrongTurn{"leads to " + place(next.URL.String()) + ", which is not encrypted"}
	}
	if next.URL.Host != before[0].URL.Host {
		next.Header.Del("Authorization")
	}
	next.Header.Del("Referer") // whose query may be secret
	return nil
}

// isLoopback tells whether an address is of this machine.
func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
