package dataset

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// What is done with bytes that belong to no character.
const (
	refuseInvalid  = "refuse"
	replaceInvalid = "replace"
	keepInvalid    = "keep"
)

// byteOrderMark stands before the text that some editors write as UTF-8, and is no part of it.
const byteOrderMark = "\uFEFF"

// startsAsUTF16 tells whether a file has the mark of UTF-16, or of UTF-32, which no UTF-8 has.
func startsAsUTF16(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
}

// invalidError is the first byte of a text that belongs to no character. It completes a sentence that starts with the file's
// name.
type invalidError struct {
	at          int64 // in the file, or in the column
	value       byte
	row, column string // "" where the text is the file
}

func (e invalidError) Error() string {
	const advice = "belongs to no character; convert the file, or say in invalid_utf8 what becomes of such bytes"
	if e.row == "" {
		return fmt.Sprintf("is not UTF-8: byte %d, 0x%02x, %s", e.at, e.value, advice)
	}
	return fmt.Sprintf("is not UTF-8 in %s: byte %d of %q, 0x%02x, %s", e.row, e.at, e.column, e.value, advice)
}

// valid returns a text as the setting invalid_utf8 has it, and how many of its bytes were replaced: by one U+FFFD each.
func valid(text, setting string) (string, int64, error) {
	if setting == keepInvalid || utf8.ValidString(text) {
		return text, 0, nil
	}
	var b strings.Builder
	var replaced int64
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRuneInString(text[i:])
		if c == utf8.RuneError && n == 1 {
			if setting == refuseInvalid {
				return "", 0, invalidError{at: int64(i), value: text[i]}
			}
			replaced++
		}
		b.WriteRune(c)
		i += n
	}
	return b.String(), replaced, nil
}

// copyValid copies a text of any size, each portion as valid has it. Places count from at. It returns how many bytes were
// written, and how many read were replaced.
func copyValid(w io.Writer, r io.Reader, at int64, setting string) (written, replaced int64, err error) {
	buffer := make([]byte, 0, readBuffer)
	for {
		n, end := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if end != nil && end != io.EOF {
			return written, replaced, end
		}
		whole := len(buffer)
		if end == nil {
			whole -= begun(buffer)
		}
		text, more, err := valid(string(buffer[:whole]), setting)
		if err != nil {
			invalid := err.(invalidError)
			invalid.at += at
			return written, replaced, invalid
		}
		if _, err := io.WriteString(w, text); err != nil {
			return written, replaced, err
		}
		written, replaced, at = written+int64(len(text)), replaced+more, at+int64(whole)
		buffer = buffer[:copy(buffer, buffer[whole:])]
		if end != nil {
			return written, replaced, nil
		}
	}
}

// begun returns how many bytes at the end of b are the start of a character that could go on.
func begun(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
