package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Formats of files. Auto is any but csv and tsv, by what a file holds: names of files enter no key.
const (
	formatAuto    = "auto"
	formatText    = "text"
	formatJSONL   = "jsonl"
	formatCSV     = "csv"
	formatTSV     = "tsv"
	formatParquet = "parquet"
)

// files says how a data set's files are read.
type files struct {
	format  string
	invalid string // the setting invalid_utf8
	scratch string // a folder for what is decompressed
}

// maxRecord is how many bytes a row may have, which memory holds whole. Plain text has no such bound.
const maxRecord = 32 << 20

// errLong stands for a row that has more.
var errLong = errors.New("longer than 32 MiB, the most a record may have; text of any length can be read as plain text, a file a document")

// detect tells the format of a file, and drops a mark at the head of text, of which it returns the length.
func (f files) detect(u *unpacked) (format string, mark int, err error) {
	head, err := u.Peek(4)
	if err != nil && err != io.EOF {
		return "", 0, err
	}
	if f.format == formatParquet || f.format == formatAuto && string(head) == "PAR1" {
		return formatParquet, 0, nil
	}
	if f.invalid == refuseInvalid && startsAsUTF16(head) {
		return "", 0, fmt.Errorf("is UTF-16 by its first bytes, % x, where UTF-8 is expected: `iconv -f UTF-16 -t UTF-8 FILE` converts it", head[:2])
	}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		mark, _ = u.Discard(len(byteOrderMark))
	}
	if f.format != formatAuto {
		return f.format, mark, nil
	}
	object, err := startsWithObject(u)
	if object {
		return formatJSONL, mark, err
	}
	return formatText, mark, err
}

// startsWithObject tells whether the first line that is not blank is a JSON object.
func startsWithObject(u *unpacked) (bool, error) {
	head, err := u.Peek(4096)
	if err != nil && err != io.EOF {
		return false, err
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	if len(head) == 0 || head[0] != '{' {
		return false, nil
	}
	var read, line []byte
	for err = nil; err == nil && len(bytes.TrimSpace(line)) == 0; read = append(read, line...) {
		line, err = readLine(u, nil)
	}
	switch {
	case err == errLong:
		return false, fmt.Errorf("begins like a line of JSON that is %w; if this is such a text, say format = \"text\"", err)
	case err != nil && err != io.EOF:
		return false, err
	}
	u.unread(read)
	return json.Valid(line), nil
}

// spool returns a file that is gone when it is closed.
func (f files) spool() (*os.File, error) {
	s, err := os.CreateTemp(f.scratch, "unpacked-*")
	if err != nil {
		return nil, err
	}
	return s, os.Remove(s.Name())
}
