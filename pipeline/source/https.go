package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"anneal/artifacts/store"
)

// CheckHTTPS returns an error unless address is one of a file of the web that is open to all, and sum the 64 hexadecimal digits
// of a SHA-256. Loopback addresses may start with http:// too.
func CheckHTTPS(address, sum string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return errors.New("the first argument is no address such as https://example.org/books.txt")
	case u.User != nil:
		return fmt.Errorf("the address holds a user name or a password, which everybody would read who reads this file: fetch what is not open to all by other means, and write the path of the file instead of %s", place(address))
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u)):
		return fmt.Errorf("the address must start with https://, and is %s", place(address))
	}
	if _, err := store.ParseDigest(strings.ToLower(sum)); err != nil {
		return fmt.Errorf("the second argument must be the SHA-256 of the file, 64 hexadecimal digits, and is %q: `curl -L '%s' | sha256sum` prints it, or `sha256sum FILE` where you have the file", sum, place(address))
	}
	return nil
}

// FetchHTTPS fetches the file at an address to the path to. Its SHA-256 is to be sum.
func (d *Downloads) FetchHTTPS(ctx context.Context, to, address, sum string) error {
	key, err := store.ParseDigest(sum)
	if err != nil {
		return err
	}
	c := &client{tell: d.Tell, refusal: refusal}
	err = d.fetch(ctx, c, remote{address, -1, key, sha256.New, sum}, to)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// refusal says what an answer means that brings no file.
func refusal(code int) string {
	switch code {
	case 401, 403, 407:
		return "it is not open to all; fetch it by other means, and write the path of the file"
	case 404, 410:
		return "there is no such file, or no longer"
	}
	return ""
}
