package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errNull stands for a value that is missing.
var errNull = errors.New("a null, which is to be filled in or its record left out,")

// textOf returns a JSON value as text. The error names a value that is none.
func textOf(value json.RawMessage) (string, error) {
	switch value[0] {
	case '"':
		return unquote(value[1 : len(value)-1])
	case 'n':
		return "", errNull
	case '[', '{':
		return "", errors.New("a list or an object, where text is expected,")
	}
	return string(value), nil
}

// unquote returns what stands between the quotes of a JSON string, with its escapes resolved and all else byte for byte:
// encoding/json would put U+FFFD for bytes that are no UTF-8, and for an escape of half a character.
func unquote(quoted []byte) (string, error) {
	var text strings.Builder
	for {
		plain, escape, found := bytes.Cut(quoted, []byte{'\\'})
		text.Write(plain)
		if !found {
			return text.String(), nil
		}
		if escape[0] != 'u' {
			text.WriteByte(escapes[escape[0]])
			quoted = escape[1:]
			continue
		}
		c, n := unit(escape[1:]), 5
		if utf16.IsSurrogate(c) {
			half := c
			if c = utf8.RuneError; bytes.HasPrefix(escape[n:], []byte(`\u`)) {
				c = utf16.DecodeRune(half, unit(escape[n+2:]))
			}
			if n += 6; c == utf8.RuneError {
				return "", fmt.Errorf(`a string with \u%s, which is half a character, without its other half,`, escape[1:5])
			}
		}
		text.WriteRune(c)
		quoted = escape[n:]
	}
}

// escapes are the characters that a letter behind a backslash stands for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unit reads the four digits of an escape, which the parser has checked.
func unit(digits []byte) rune {
	u, _ := strconv.ParseUint(string(digits[:4]), 16, 16)
	return rune(u)
}
