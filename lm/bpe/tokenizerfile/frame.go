package tokenizerfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"anneal/lm/bpe"
)

// A frame is what a tokenizer.json says around its model, as JSON, for one way of cutting text into pieces.
type frame struct {
	pattern                           bpe.Pattern
	prefix                            bpe.Prefix
	normalizer, preTokenizer, decoder string
	spelling                          spelling
}

// byteLevelAs gives bytes their characters, after a space that may be put before the text and GPT-2's pattern.
func byteLevelAs(space, pattern bool) string {
	return fmt.Sprintf(`{"type":"ByteLevel","add_prefix_space":%t,"trim_offsets":true,"use_regex":%t}`, space, pattern)
}

// split cuts by a regular expression, written as in JSON, before bytes get their characters.
func split(regex string) string {
	return `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"` + regex + `"},"behavior":"Isolated","invert":false},` + byteLevelAs(false, false) + `]}`
}

// The patterns of package bpe, where they are written out by hand.
const (
	gpt2Regex   = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`
	llama3Regex = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
	qwen2Regex  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
)

const (
	none        = `null`
	prepended   = `{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`
	metaspace   = `{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false}`
	unprepended = `{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}`
)

var byteLevelDecoder = byteLevelAs(false, true)

// frames lists what is read; of those of a pattern and a prefix, the first is written.
var frames = []frame{
	{bpe.GPT2, bpe.NoPrefix, none, byteLevelAs(false, true), byteLevelDecoder, byteLevel},
	{bpe.GPT2, bpe.NoPrefix, none, split(gpt2Regex), byteLevelDecoder, byteLevel},
	{bpe.GPT2, bpe.PrefixMissing, none, byteLevelAs(true, true), byteLevelDecoder, byteLevel},
	{bpe.Llama3, bpe.NoPrefix, none, split(llama3Regex), byteLevelDecoder, byteLevel},
	{bpe.Qwen2, bpe.NoPrefix, none, split(qwen2Regex), byteLevelDecoder, byteLevel},
	{bpe.SentencePiece, bpe.PrefixAlways, prepended, none, unprepended, sentencePiece},
	{bpe.SentencePiece, bpe.PrefixMissing, none, metaspace, unprepended, sentencePiece},
}

// parts are those of a frame, in the order in which they are looked at.
var parts = []struct {
	name      string
	of        func(*frame) string
	supported string
}{
	{"normalizer", func(f *frame) string { return f.normalizer },
		"none, or that of Llama 2: Prepend of ▁ and Replace of spaces by ▁"},
	{"pre_tokenizer", func(f *frame) string { return f.preTokenizer },
		"ByteLevel with its own regular expression, or behind a Split by that of GPT-2, of Llama 3 and cl100k, or of Qwen 2; Metaspace without split; none beside the normalizer of Llama 2"},
	{"decoder", func(f *frame) string { return f.decoder },
		"that of the pre_tokenizer: ByteLevel, or for ▁ the Sequence of Replace, ByteFallback, Fuse and Strip"},
}

// frameOf returns the frame that a tokenizer.json has.
func frameOf(file map[string]json.RawMessage) (*frame, error) {
	left := frames
	for _, part := range parts {
		found := canonical(part.name, file[part.name])
		var fit []frame
		for _, f := range left {
			if reflect.DeepEqual(found, canonical(part.name, json.RawMessage(part.of(&f)))) {
				fit = append(fit, f)
			}
		}
		if left = fit; len(left) == 0 {
			return nil, unsupported(part.name, file[part.name], part.supported)
		}
	}
	return &left[0], nil
}

// unsupported says that a part of a file would make other ids than package bpe does.
func unsupported(path string, found json.RawMessage, supported string) error {
	const shown = 300
	text := "missing"
	if len(found) > 0 {
		text = strings.ToValidUTF8(string(found), "")
		var b bytes.Buffer
		if json.Compact(&b, found) == nil {
			text = b.String()
		}
	}
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return fmt.Errorf("%s is %s; supported is %s", path, text, supported)
}

// maxFrame bounds a part of a frame: the published ones that are supported have less than a thousand bytes.
const maxFrame = 1 << 16

// canonical decodes a part of a frame without what changes no id, so that equal ones compare equal.
func canonical(name string, part json.RawMessage) any {
	var v any
	if len(part) == 0 {
		return nil
	}
	if len(part) > maxFrame || json.Unmarshal(part, &v) != nil {
		return string(part)
	}
	return simplified(name, v)
}

func simplified(name string, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	delete(m, "trim_offsets") // of the places of tokens in the text
	switch m["type"] {
	case "Sequence":
		children := map[string]string{"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "decoder": "decoders"}[name]
		list, ok := m[children].([]any)
		for i := range list {
			list[i] = simplified(name, list[i])
		}
		switch {
		case ok && len(list) == 0:
			return nil
		case len(list) == 1:
			return list[0]
		}
	case "ByteLevel":
		if name == "decoder" { // which takes the characters back to bytes, and nothing else
			delete(m, "add_prefix_space")
			delete(m, "use_regex")
		} else if m["use_regex"] == nil {
			m["use_regex"] = true
		}
	case "Metaspace":
		// A text is encoded whole, so that its first part is every part. Old files have another word for it.
		if m["prepend_scheme"] == "first" || m["prepend_scheme"] == nil && m["add_prefix_space"] == true {
			m["prepend_scheme"] = "always"
		}
		delete(m, "add_prefix_space")
	case "Split":
		// To keep the matches alone is to cut at them: the regular expressions read here leave nothing out.
		if m["behavior"] == "Removed" && m["invert"] == true {
			m["behavior"], m["invert"] = "Isolated", false
		}
	}
	return m
}
