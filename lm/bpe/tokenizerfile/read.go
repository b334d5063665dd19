package tokenizerfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"anneal/lm/bpe"
)

// ReadHuggingFace reads a tokenizer.json of a byte-level BPE, as of GPT-2, Llama 3 and OLMo 2, or of a BPE of characters
// with byte fallback, as of Llama 2. Ids that the file leaves out become Unused; added tokens become Special. An added
// token that is not special in the file is refused unless its name is one that text does not have by chance: between < and
// >, [ and ], or | and |, without white space. Settings that change no id of a text are passed over: post_processor, truncation,
// padding, and of the added tokens all but id, content and special. Errors name the place in the file, what stands there and
// what is supported.
func ReadHuggingFace(r io.Reader) (*bpe.Definition, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("is no JSON object: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if !slices.Contains([]string{"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"}, name) {
			return nil, unsupported(name, file[name], "nothing of this name")
		}
	}
	var model map[string]json.RawMessage
	if err := json.Unmarshal(file["model"], &model); err != nil {
		return nil, unsupported("model", file["model"], "an object")
	}
	if err := checkType(model); err != nil {
		return nil, err
	}
	frame, err := frameOf(file)
	if err != nil {
		return nil, err
	}
	if err := checkSettings(model, frame); err != nil {
		return nil, err
	}
	var (
		added   addedTokens
		entries vocabulary
		pairs   merges
	)
	for _, part := range []struct {
		path string
		raw  json.RawMessage
		into any
	}{{"added_tokens", file["added_tokens"], &added}, {"model.vocab", model["vocab"], &entries}, {"model.merges", model["merges"], &pairs}} {
		if part.raw == nil {
			if part.path == "added_tokens" {
				continue
			}
			return nil, fmt.Errorf("%s is missing", part.path)
		}
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			return nil, fmt.Errorf("%s%w", part.path, err)
		}
	}
	return assemble(frame, added, entries, pairs, string(model["ignore_merges"]) == "true")
}

// checkType demands a BPE. Old files do not name their model; those of BPE are known by their merges.
func checkType(model map[string]json.RawMessage) error {
	var kind string
	if json.Unmarshal(model["type"], &kind) == nil && kind == "BPE" || model["type"] == nil && model["merges"] != nil {
		return nil
	}
	return unsupported("model.type", model["type"], `"BPE"`)
}

// checkSettings demands of the model's settings that package bpe does as they say.
func checkSettings(model map[string]json.RawMessage, f *frame) error {
	fallback, whole := []string{"false", "null", ""}, []string{"false", "true", "null", ""}
	if f.pattern == bpe.SentencePiece {
		fallback, whole = []string{"true"}, []string{"false", "null", ""}
	}
	allowed := map[string][]string{
		"dropout":                   {"null", "0", "0.0", ""},
		"continuing_subword_prefix": {"null", `""`, ""},
		"end_of_word_suffix":        {"null", `""`, ""},
		"byte_fallback":             fallback,
		"ignore_merges":             whole,
	}
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		if values := allowed[name]; !slices.Contains(values, string(model[name])) {
			return unsupported("model."+name, model[name], strings.Join(slices.DeleteFunc(values, func(v string) bool { return v == "" }), " or "))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(model)) {
		// No text has an unknown character: all 256 bytes are tokens.
		if allowed[name] == nil && !slices.Contains([]string{"type", "vocab", "merges", "unk_token", "fuse_unk"}, name) {
			return unsupported("model."+name, model[name], "nothing of this name")
		}
	}
	return nil
}

// assemble makes a definition of the parts of a file.
func assemble(f *frame, added addedTokens, entries vocabulary, pairs merges, whole bool) (*bpe.Definition, error) {
	var d definer
	names := make(map[string]int, len(added))
	for i, a := range added {
		path := fmt.Sprintf("added_tokens[%d]", i)
		if _, ok := names[a.Content]; ok || a.Content == "" {
			return nil, fmt.Errorf("%s.content is %q, which is empty or another's", path, a.Content)
		}
		if !a.Special && !sign(a.Content) {
			return nil, fmt.Errorf("%s is %q, which is not special and so would be looked for in text; supported are names that text does not have by chance: between < and >, [ and ], or | and |, without white space", path, a.Content)
		}
		id, err := parseID(a.ID)
		if err == nil {
			err = d.put(id, bpe.Token{Bytes: []byte(a.Content), Kind: bpe.Special})
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %q, %w", path, a.Content, err)
		}
		names[a.Content] = id
	}
	ids := make(map[string]uint32, len(entries))
	for _, e := range entries {
		path := fmt.Sprintf("model.vocab[%q]", e.token)
		id, err := parseID(e.id)
		if err != nil {
			return nil, fmt.Errorf("%s %w", path, err)
		}
		if _, ok := ids[e.token]; ok {
			return nil, fmt.Errorf("%s stands there twice", path)
		}
		ids[e.token] = uint32(id)
		if as, ok := names[e.token]; ok {
			if as != id {
				return nil, fmt.Errorf("%s has id %d, and id %d in added_tokens", path, id, as)
			}
			continue
		}
		t, err := f.spelling.read(e.token)
		if err == nil {
			err = d.put(id, t)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %w", path, err)
		}
	}
	list := make([]bpe.Merge, 0, len(pairs))
	for i, p := range pairs {
		left, okLeft := ids[p[0]]
		right, okRight := ids[p[1]]
		made, okMade := ids[p[0]+p[1]]
		switch {
		case !okLeft || !okRight:
			return nil, fmt.Errorf("model.merges[%d] is of %q and %q, which are not both in model.vocab", i, p[0], p[1])
		case !okMade:
			return nil, fmt.Errorf("model.merges[%d] makes %q, which is not in model.vocab", i, p[0]+p[1])
		}
		for _, id := range []uint32{left, right, made} {
			if t := d.tokens[id]; t.Kind != bpe.Text {
				return nil, fmt.Errorf("model.merges[%d] has the token %q, which does not come from text", i, t.Bytes)
			}
		}
		list = append(list, bpe.Merge{Left: left, Right: right})
	}
	return d.define(bpe.Definition{Merges: list, Pattern: f.pattern, Whole: whole, Prefix: f.prefix})
}

// sign tells whether a name is one that text does not have by chance.
func sign(name string) bool {
	if len(name) < 3 || strings.ContainsFunc(name, unicode.IsSpace) {
		return false
	}
	switch name[:1] + name[len(name)-1:] {
	case "<>", "[]", "||":
		return true
	}
	return false
}

// parseID reads an id. The error completes a sentence that starts with its place.
func parseID(n json.Number) (int, error) {
	id, err := strconv.ParseUint(string(n), 10, 32)
	if err != nil || id >= bpe.MaxSize {
		return 0, fmt.Errorf("has the id %.40s; supported are whole numbers below %d", n, bpe.MaxSize)
	}
	return int(id), nil
}

// addedTokens, vocabulary and merges decode themselves, so that a list of too many ends where it is too long. Their errors
// continue the path of the list.
type (
	addedTokens []addedToken
	vocabulary  []entry
	merges      [][2]string
)

type addedToken struct {
	ID      json.Number `json:"id"`
	Content string      `json:"content"`
	Special bool        `json:"special"`
}

type entry struct {
	token string
	id    json.Number
}

func (l *addedTokens) UnmarshalJSON(data []byte) error {
	return elements(data, '[', bpe.MaxSize, func(d *json.Decoder, i int) error {
		var a addedToken
		if err := d.Decode(&a); err != nil {
			return fmt.Errorf("[%d] is no added token: %w", i, err)
		}
		*l = append(*l, a)
		return nil
	})
}

func (l *vocabulary) UnmarshalJSON(data []byte) error {
	return elements(data, '{', bpe.MaxSize, func(d *json.Decoder, _ int) error {
		name, err := d.Token()
		if err != nil {
			return err
		}
		e := entry{token: name.(string)}
		if err := d.Decode(&e.id); err != nil {
			return fmt.Errorf("[%q] is no id: %w", e.token, err)
		}
		*l = append(*l, e)
		return nil
	})
}

// UnmarshalJSON reads merges in both forms that there are, "a b" and ["a", "b"].
func (l *merges) UnmarshalJSON(data []byte) error {
	return elements(data, '[', bpe.MaxMerges, func(d *json.Decoder, i int) error {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var pair []string
		if raw[0] == '"' {
			var both string
			if err := json.Unmarshal(raw, &both); err != nil {
				return err
			}
			pair = strings.Split(both, " ")
		} else if err := json.Unmarshal(raw, &pair); err != nil {
			pair = nil
		}
		if len(pair) != 2 {
			return unsupported(fmt.Sprintf("[%d]", i), raw, `"a b" or ["a", "b"]`)
		}
		*l = append(*l, [2]string{pair[0], pair[1]})
		return nil
	})
}

// elements calls each for every element of a JSON list or object, of which there may be most.
func elements(data []byte, open json.Delim, most int, each func(d *json.Decoder, i int) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	first, err := d.Token()
	if err != nil {
		return err
	}
	if first != open {
		return unsupported("", data, map[json.Delim]string{'[': "a list", '{': "an object"}[open])
	}
	for i := 0; d.More(); i++ {
		if i == most {
			return fmt.Errorf(" has more than %d elements", most)
		}
		if err := each(d, i); err != nil {
			return err
		}
	}
	return nil
}
