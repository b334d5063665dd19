package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A result is stored as lines of text. The first names the format and the digest of all that follows:
//
//	anneal result 2 <digest>
//	fact kind pretrain 1
//	fact config adamw.weight_decay 0.1
//	output weights weights tree 532480 <digest>
//	output metrics metrics file 1816 <digest>
//	input tokens <key>
//	seconds 12.5
//	steps 400
//	log log file 210 <digest>
//	tool go go1.26.8
//	trajectory <key>
//	accepted <key> 2026-01-02T15:04:05Z "the new version differs in its log only"
//
// Words stand as they are where they are plain, and quoted as in Go where they are not.
const resultMagic = "anneal result 2 "

// encode writes r, with its checksum.
func (r *Result) encode() []byte {
	b := make([]byte, 0, 2048)
	b = append(b, resultMagic...)
	b = append(b, Digest{}.String()...)
	b = append(b, '\n')
	start := len(b)
	line := func(words ...string) {
		for i, w := range words {
			if i > 0 {
				b = append(b, ' ')
			}
			if bare(w) {
				b = append(b, w...)
			} else {
				b = strconv.AppendQuote(b, w)
			}
		}
		b = append(b, '\n')
	}
	blob := func(what, name string, o Blob) {
		form := "file"
		if o.Tree {
			form = "tree"
		}
		line(what, name, o.Type, form, strconv.FormatInt(o.Size, 10), o.Digest.String())
	}
	for _, f := range r.Key {
		line("fact", f.Kind, f.Name, f.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Outputs)) {
		blob("output", name, r.Outputs[name])
	}
	for _, field := range slices.Sorted(maps.Keys(r.Made.Inputs)) {
		line("input", field, r.Made.Inputs[field].String())
	}
	line("seconds", strconv.FormatFloat(r.Made.Seconds, 'g', -1, 64))
	if r.Made.Steps != 0 {
		line("steps", strconv.Itoa(r.Made.Steps))
	}
	if r.Made.Log != nil {
		blob("log", "log", *r.Made.Log)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Made.Tools)) {
		line("tool", name, r.Made.Tools[name])
	}
	if t := r.Made.Trajectory; !t.IsZero() {
		line("trajectory", t.String())
	}
	if a := r.Made.Accepted; a != nil {
		line("accepted", a.From.String(), a.Time.UTC().Format(time.RFC3339Nano), a.Reason)
	}
	sum := Digest(sha256.Sum256(b[start:]))
	copy(b[len(resultMagic):], sum.String())
	return b
}

// bare tells whether a word can stand without quotes.
func bare(w string) bool {
	for i := range len(w) {
		if c := w[i]; c <= ' ' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return w != ""
}

var errWords = errors.New("a line is not what its first word says")

// decode reads what encode wrote.
func decode(data []byte) (*Result, error) {
	head, body, found := bytes.Cut(data, []byte("\n"))
	sum, isResult := bytes.CutPrefix(head, []byte(resultMagic))
	if !found || !isResult {
		return nil, errors.New("it is no result, or one of another version of the store")
	}
	var want Digest
	if err := want.UnmarshalText(sum); err != nil || sha256.Sum256(body) != want {
		return nil, errors.New("its checksum does not hold")
	}
	r := &Result{
		Key:     make([]Fact, 0, bytes.Count(body, []byte("\n"))),
		Outputs: make(map[string]Blob, 4),
	}
	var words [6]string
	for rest := string(body); rest != ""; {
		var n int
		var err error
		if n, rest, err = split(&words, rest); err != nil {
			return nil, err
		}
		if err := r.set(words[:n]); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(words[:n], " "), err)
		}
	}
	return r, nil
}

// split reads the words of the first line of text.
func split(words *[6]string, text string) (n int, rest string, err error) {
	for ; n < len(words); n++ {
		if strings.HasPrefix(text, `"`) {
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				return 0, "", err
			}
			if words[n], err = strconv.Unquote(quoted); err != nil {
				return 0, "", err
			}
			text = text[len(quoted):]
		} else {
			end := 0
			for end < len(text) && text[end] > ' ' {
				end++
			}
			if end == 0 {
				return 0, "", errWords
			}
			words[n], text = text[:end], text[end:]
		}
		if strings.HasPrefix(text, "\n") {
			return n + 1, text[1:], nil
		}
		if !strings.HasPrefix(text, " ") {
			return 0, "", errWords
		}
		text = text[1:]
	}
	return 0, "", errWords
}

// set takes over what one line says.
func (r *Result) set(line []string) (err error) {
	switch what, n := line[0], len(line); {
	case what == "fact" && n == 4:
		r.Key = append(r.Key, Fact{line[1], line[2], line[3]})
	case what == "output" && n == 6:
		r.Outputs[line[1]], err = parseBlob(line)
	case what == "log" && n == 6:
		r.Made.Log = new(Blob)
		*r.Made.Log, err = parseBlob(line)
	case what == "input" && n == 3:
		if r.Made.Inputs == nil {
			r.Made.Inputs = make(map[string]Digest, 4)
		}
		r.Made.Inputs[line[1]], err = ParseDigest(line[2])
	case what == "seconds" && n == 2:
		r.Made.Seconds, err = strconv.ParseFloat(line[1], 64)
	case what == "steps" && n == 2:
		r.Made.Steps, err = strconv.Atoi(line[1])
	case what == "tool" && n == 3:
		if r.Made.Tools == nil {
			r.Made.Tools = make(map[string]string, 4)
		}
		r.Made.Tools[line[1]] = line[2]
	case what == "trajectory" && n == 2:
		r.Made.Trajectory, err = ParseDigest(line[1])
	case what == "accepted" && n == 4:
		a := &Accepted{Reason: line[3]}
		r.Made.Accepted = a
		if a.From, err = ParseDigest(line[1]); err == nil {
			a.Time, err = time.Parse(time.RFC3339Nano, line[2])
		}
	default:
		return errWords
	}
	return err
}

func parseBlob(line []string) (b Blob, err error) {
	b.Type, b.Tree = line[2], line[3] == "tree"
	if !b.Tree && line[3] != "file" {
		return b, errWords
	}
	if b.Size, err = strconv.ParseInt(line[4], 10, 64); err != nil {
		return b, err
	}
	b.Digest, err = ParseDigest(line[5])
	return b, err
}
