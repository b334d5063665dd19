package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestValid(t *testing.T) {
	for _, c := range []struct {
		text, want string
		replaced   int64
		at         int64 // of the first byte that is refused, -1 where none is
	}{
		{"a\r\nb\x00é\u2028\ufffd\ufeff", "a\r\nb\x00é\u2028\ufffd\ufeff", 0, -1},
		{"", "", 0, -1},
		{"abc\xff", "abc\ufffd", 1, 3},
		{"é\xc3", "é\ufffd", 1, 2},
		{"\xe6\x97a", "\ufffd\ufffda", 2, 0},                     // of three bytes the first two: each becomes one
		{"\xed\xa0\x80\ufffd", "\ufffd\ufffd\ufffd\ufffd", 3, 0}, // half of a pair; a U+FFFD that was there is none
		{"🌱\xf0\x9f\x8c", "🌱\ufffd\ufffd\ufffd", 3, 4},
	} {
		if got, n, err := valid(c.text, replaceInvalid); got != c.want || n != c.replaced || err != nil {
			t.Errorf("%q becomes %q, %d bytes replaced, %v", c.text, got, n, err)
		}
		if got, n, err := valid(c.text, keepInvalid); got != c.text || n != 0 || err != nil {
			t.Errorf("%q is kept as %q, %d bytes replaced, %v", c.text, got, n, err)
		}
		_, _, err := valid(c.text, refuseInvalid)
		if e := (invalidError{}); errors.As(err, &e) != (c.at >= 0) || err != nil && (e.at != c.at || e.value != c.text[c.at]) {
			t.Errorf("%q: error %v", c.text, err)
		}
	}
}

// FuzzCopyValid: a text in portions becomes what it becomes at once.
func FuzzCopyValid(f *testing.F) {
	f.Add([]byte("größer"), int64(1))
	f.Add([]byte("\xff\xe6\x97"), int64(2))
	f.Fuzz(func(t *testing.T, text []byte, seed int64) {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		for range r.IntN(3) { // over the end of a buffer
			text = append(bytes.Repeat([]byte("x"), readBuffer-r.IntN(len(text)+5)%readBuffer), text...)
		}
		for _, setting := range []string{refuseInvalid, replaceInvalid, keepInvalid} {
			want, replaced, wrong := valid(string(text), setting)
			var got strings.Builder
			written, n, err := copyValid(&got, iotest.HalfReader(bytes.NewReader(text)), 0, setting)
			if wrong != nil {
				if !errors.Is(err, wrong) {
					t.Fatalf("%s %q: error %v, want %v", setting, text, err, wrong)
				}
			} else if err != nil || got.String() != want || n != replaced || written != int64(len(want)) {
				t.Fatalf("%s %q: %q, %d, %d, %v", setting, text, got.String(), written, n, err)
			}
		}
	})
}

// FuzzUnquote: a JSON string says what encoding/json reads, or holds what that would replace.
func FuzzUnquote(f *testing.F) {
	f.Add(`a\"\\\/\b\f\n\r\t\u00e9\ud83c\udf31`)
	f.Add(`\ud800\u0041`)
	f.Add(`\ud800\ud800\udc00`)
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, inner string) {
		var want string
		if json.Unmarshal([]byte(`"`+inner+`"`), &want) != nil {
			return
		}
		got, err := unquote([]byte(inner))
		if err != nil {
			if !strings.Contains(want, "\ufffd") {
				t.Fatalf("%q: %v", inner, err)
			}
			return
		}
		if !utf8.ValidString(got) {
			got, _, _ = valid(got, replaceInvalid)
		}
		if got != want {
			t.Fatalf("%q is %q, want %q", inner, got, want)
		}
	})
}
