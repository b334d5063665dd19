package tokenizerfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"anneal/lm/bpe"
)

// WriteHuggingFace writes a definition as a tokenizer.json, which ReadHuggingFace reads back as an equal one; but where
// merges go ByID the file lists them, as it must, those that make one token in the order of their sides. Special tokens
// stand in the vocabulary too, so that they keep their ids where unused ones come before them. It is an error when two tokens
// would be written alike, as a special token and one made from text that is spelled like its name.
func WriteHuggingFace(w io.Writer, d *bpe.Definition) error {
	if _, err := bpe.Build(d); err != nil {
		return err
	}
	var f *frame
	for i := range frames {
		if frames[i].pattern == d.Pattern && frames[i].prefix == d.Prefix {
			f = &frames[i]
			break
		}
	}
	if f == nil {
		return fmt.Errorf("a tokenizer.json of the pattern %q and the prefix %q is not known", d.Pattern, d.Prefix)
	}
	spelled, err := spell(d, f)
	if err != nil {
		return err
	}
	merges := d.Merges
	if d.ByID {
		merges = splits(d)
	}
	b := bufio.NewWriter(w)
	j := &jsonWriter{b: b}
	j.printf("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	unknown, fallback := "null", d.Pattern == bpe.SentencePiece
	for id, t := range d.Tokens {
		if t.Kind == bpe.Special {
			name := j.quoted(spelled[id])
			j.element("    {\"id\": %d, \"content\": %s, \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}", id, name)
			if spelled[id] == "<unk>" {
				unknown = name
			}
		}
	}
	j.end("  ]")
	j.printf(",\n  \"normalizer\": %s,\n  \"pre_tokenizer\": %s,\n  \"post_processor\": null,\n  \"decoder\": %s,\n", f.normalizer, f.preTokenizer, f.decoder)
	j.printf("  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": %s,\n    \"continuing_subword_prefix\": null,\n", unknown)
	j.printf("    \"end_of_word_suffix\": null,\n    \"fuse_unk\": %t,\n    \"byte_fallback\": %t,\n    \"ignore_merges\": %t,\n", fallback, fallback, d.Whole)
	j.printf("    \"vocab\": {")
	for id, t := range d.Tokens {
		if t.Kind != bpe.Unused {
			j.element("      %s: %d", j.quoted(spelled[id]), id)
		}
	}
	j.end("    }")
	j.printf(",\n    \"merges\": [")
	for _, m := range merges {
		j.element("      %s", j.quoted(spelled[m.Left]+" "+spelled[m.Right]))
	}
	j.end("    ]")
	j.printf("\n  }\n}\n")
	return errors.Join(j.err, b.Flush())
}

// spell returns the strings of tokens by id, each another's.
func spell(d *bpe.Definition, f *frame) ([]string, error) {
	spelled := make([]string, len(d.Tokens))
	ids := make(map[string]int, len(d.Tokens))
	for id, t := range d.Tokens {
		switch t.Kind {
		case bpe.Unused:
			continue
		case bpe.Special:
			if spelled[id] = string(t.Bytes); !utf8.Valid(t.Bytes) {
				return nil, fmt.Errorf("special token %d, %q, is not UTF-8, as all text in JSON is", id, t.Bytes)
			}
		default:
			var err error
			if spelled[id], err = f.spelling.write(t); err != nil {
				return nil, err
			}
		}
		if other, ok := ids[spelled[id]]; ok {
			return nil, fmt.Errorf("tokens %d and %d would both be written as %q: a tokenizer.json cannot tell a special token from one of text that is spelled like its name", other, id, spelled[id])
		}
		ids[spelled[id]] = id
	}
	return spelled, nil
}

// jsonWriter writes JSON, the elements of long lists a line each.
type jsonWriter struct {
	b     *bufio.Writer
	after bool // an element stands before the next
	err   error
}

func (j *jsonWriter) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(j.b, format, args...); err != nil {
		j.err = err
	}
}

func (j *jsonWriter) element(format string, args ...any) {
	if j.after {
		j.printf(",")
	}
	j.after = true
	j.printf("\n"+format, args...)
}

func (j *jsonWriter) end(closing string) {
	if j.after {
		j.printf("\n")
	}
	j.after = false
	j.printf("%s", closing)
}

// quoted returns a string as JSON, without escaping what HTML would want escaped.
func (j *jsonWriter) quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		j.err = err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
