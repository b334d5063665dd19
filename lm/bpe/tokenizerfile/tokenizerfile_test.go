package tokenizerfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"anneal/lm/bpe"
)

// object and list are JSON to be built.
type (
	object = map[string]any
	list   = []any
)

// decoded returns what JSON says.
func decoded(text string) (v any) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}

// small returns a tokenizer.json of GPT-2's pattern: the 256 bytes in its order of characters, "he", "hel", an id that nothing has,
// and a special token.
func small() object {
	vocab := object{}
	for b := range 256 {
		s, _ := byteLevel.write(bpe.Token{Bytes: []byte{byte(b)}})
		vocab[s] = 255 - b
	}
	vocab["he"], vocab["hel"] = 256, 257
	return object{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil, "post_processor": object{"type": "anything"},
		"pre_tokenizer": decoded(byteLevelAs(false, true)),
		"decoder":       decoded(byteLevelDecoder),
		"added_tokens":  list{object{"id": 259, "content": "<|end|>", "special": true, "normalized": false}},
		"model": object{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": list{"h e", "he l"}},
	}
}

// llama2 returns a tokenizer.json of characters: ▁, a, é, "▁a", bytes, and three special tokens that are in its vocabulary too.
func llama2() object {
	vocab := object{"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 259, "a": 260, "é": 261, "▁a": 262}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = 3 + b
	}
	added := list{}
	for id, name := range []string{"<unk>", "<s>", "</s>"} {
		added = append(added, object{"id": id, "content": name, "special": true})
	}
	return object{
		"version": "1.0", "normalizer": decoded(prepended), "pre_tokenizer": nil, "decoder": decoded(unprepended), "added_tokens": added,
		"model": object{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": list{"▁ a"}},
	}
}

// with sets what stands at a path such as model.merges.
func with(file object, path string, value any) object {
	name, rest, inner := strings.Cut(path, ".")
	file = maps.Clone(file)
	if inner {
		value = with(file[name].(object), rest, value)
	}
	file[name] = value
	return file
}

func read(t *testing.T, file any) (*bpe.Definition, error) {
	t.Helper()
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return ReadHuggingFace(bytes.NewReader(data))
}

// encoded returns the ids of text.
func encoded(t *testing.T, d *bpe.Definition, text string) []uint32 {
	t.Helper()
	v, err := bpe.Build(d)
	if err != nil {
		t.Fatal(err)
	}
	return v.Encode(nil, []byte(text))
}

func TestHuggingFace(t *testing.T) {
	split := func(behavior string, invert bool, regex string) any {
		return object{"type": "Sequence", "pretokenizers": list{
			object{"type": "Split", "pattern": object{"Regex": decoded(`"` + regex + `"`)}, "behavior": behavior, "invert": invert},
			object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
		}}
	}
	id := func(b byte) uint32 { return 255 - uint32(b) } // of a byte in small
	for _, c := range []struct {
		name    string
		file    object
		text    string
		want    []uint32
		pattern bpe.Pattern
	}{
		{"merges", small(), "hello", []uint32{257, id('l'), id('o')}, bpe.GPT2},
		{"names of special tokens are text", small(), "<|end|>", []uint32{id('<'), id('|'), id('e'), id('n'), id('d'), id('|'), id('>')}, bpe.GPT2},
		{"merges as pairs", with(small(), "model.merges", list{list{"h", "e"}, list{"he", "l"}}), "hel", []uint32{257}, bpe.GPT2},
		{"a file that does not name its model", with(small(), "model.type", nil), "hel", []uint32{257}, bpe.GPT2},
		{"settings of old files left out", with(small(), "pre_tokenizer", object{"type": "ByteLevel", "add_prefix_space": false}), "hel", []uint32{257}, bpe.GPT2},
		{"an empty sequence of normalizers", with(small(), "normalizer", object{"type": "Sequence", "normalizers": list{}}), "hel", []uint32{257}, bpe.GPT2},
		{"merges that come second", with(small(), "model.merges", list{"he l", "h e"}), "hel", []uint32{257}, bpe.GPT2},
		{"a token that no merge makes", with(small(), "model.merges", list{"h e"}), "hel", []uint32{256, id('l')}, bpe.GPT2},
		{"ignore_merges", with(with(small(), "model.merges", list{"h e"}), "model.ignore_merges", true), "hel", []uint32{257}, bpe.GPT2},
		{"GPT-2's pattern, split", with(small(), "pre_tokenizer", split("Isolated", false, gpt2Regex)), "he'll", []uint32{256, id('\''), id('l'), id('l')}, bpe.GPT2},
		{"Llama 3's pattern", with(small(), "pre_tokenizer", split("Isolated", false, llama3Regex)), "12", []uint32{id('1'), id('2')}, bpe.Llama3},
		{"cl100k's way to say it", with(small(), "pre_tokenizer", split("Removed", true, llama3Regex)), "hel", []uint32{257}, bpe.Llama3},
		{"Qwen 2's pattern", with(small(), "pre_tokenizer", split("Isolated", false, qwen2Regex)), "hel", []uint32{257}, bpe.Qwen2},
		{"a space before the text", with(small(), "pre_tokenizer", decoded(byteLevelAs(true, true))), "hel", []uint32{id(' '), 257}, bpe.GPT2},
		{"a marker that is not special", with(small(), "added_tokens", list{object{"id": 258, "content": "|||IP_ADDRESS|||", "special": false}}), "hel", []uint32{257}, bpe.GPT2},
		{"Llama 2", llama2(), "a aé~", []uint32{262, 262, 261, 3 + '~'}, bpe.SentencePiece},
		{"Llama 2 of another time", with(with(llama2(), "normalizer", nil), "pre_tokenizer", object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}),
			" a", []uint32{262}, bpe.SentencePiece},
	} {
		if c.name == "a file that does not name its model" {
			delete(c.file["model"].(object), "type")
		}
		d, err := read(t, c.file)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := encoded(t, d, c.text); !slices.Equal(got, c.want) || d.Pattern != c.pattern {
			t.Errorf("%s: %q is %v of the pattern %q, want %v of %q", c.name, c.text, got, d.Pattern, c.want, c.pattern)
		}
		var b bytes.Buffer
		if err := WriteHuggingFace(&b, d); err != nil {
			t.Errorf("%s: written: %v", c.name, err)
			continue
		}
		if back, err := ReadHuggingFace(&b); err != nil || !back.Equal(d) {
			t.Errorf("%s: written and read again it is another, %v", c.name, err)
		}
	}
	d, err := read(t, small())
	if err != nil || d.Size() != 260 || d.Tokens[258].Kind != bpe.Unused || d.Tokens[259].Kind != bpe.Special || string(d.Tokens[259].Bytes) != "<|end|>" {
		t.Errorf("an id without a token and a special one come as %v, %v", d.Tokens[258:], err)
	}
}

func TestHuggingFaceRefuses(t *testing.T) {
	vocab := func(name string, id any) object {
		m := maps.Clone(small()["model"].(object)["vocab"].(object))
		m[name] = id
		return with(small(), "model.vocab", m)
	}
	added := func(id any, content string, special bool) object {
		return with(small(), "added_tokens", list{object{"id": id, "content": content, "special": special}})
	}
	for _, c := range []struct {
		file object
		want string
	}{
		{with(small(), "model.type", "Unigram"), `model.type is "Unigram"; supported is "BPE"`},
		{with(small(), "model.type", "WordPiece"), `model.type is "WordPiece"`},
		{with(small(), "model.dropout", 0.1), `model.dropout is 0.1; supported is null`},
		{with(small(), "model.continuing_subword_prefix", "##"), `model.continuing_subword_prefix is "##"`},
		{with(small(), "model.end_of_word_suffix", "~"), `model.end_of_word_suffix is "~"`},
		{with(small(), "model.byte_fallback", true), `model.byte_fallback is true; supported is false`},
		{with(llama2(), "model.byte_fallback", false), `model.byte_fallback is false; supported is true`},
		{with(llama2(), "model.ignore_merges", true), `model.ignore_merges is true; supported is false`},
		{with(small(), "model.surprise", 1), `model.surprise is 1; supported is nothing of this name`},
		{with(small(), "surprise", 1), `surprise is 1; supported is nothing of this name`},
		{with(small(), "normalizer", object{"type": "NFC"}), `normalizer is {"type":"NFC"}; supported is none, or that of Llama 2`},
		{with(small(), "pre_tokenizer", object{"type": "Whitespace"}), `pre_tokenizer is {"type":"Whitespace"}; supported is ByteLevel`},
		{with(small(), "pre_tokenizer", decoded(strings.Replace(split(llama3Regex), "{1,3}", "{1,2}", 1))), `pre_tokenizer is {"pretokenizers":[{"behavior":"Isolated"`},
		{with(small(), "decoder", nil), `decoder is null; supported is that of the pre_tokenizer`},
		{with(llama2(), "pre_tokenizer", decoded(byteLevelAs(false, true))), `pre_tokenizer is`},
		{with(llama2(), "decoder", decoded(byteLevelDecoder)), `decoder is`},
		{with(small(), "model", 7), `model is 7; supported is an object`},
		{with(small(), "model.vocab", list{}), `model.vocab is []; supported is an object`},
		{with(small(), "model.merges", object{}), `model.merges is {}; supported is a list`},
		{with(small(), "model.merges", list{"h e l"}), `model.merges[0] is "h e l"; supported is "a b" or ["a", "b"]`},
		{with(small(), "model.merges", list{"h e", 7}), `model.merges[1] is 7`},
		{with(small(), "model.merges", list{"h e", list{"a"}}), `model.merges[1] is ["a"]`},
		{with(small(), "model.merges", list{"h q"}), `model.merges[0] makes "hq", which is not in model.vocab`},
		{with(small(), "model.merges", list{"hx q"}), `model.merges[0] is of "hx" and "q", which are not both in model.vocab`},
		{with(small(), "model.merges", list{"h e", "h e"}), `merge 1 is merge 0 again`},
		{vocab("zz", 257), `has id 257, which "`},
		{vocab("zz", -1), `model.vocab["zz"] has the id -1; supported are whole numbers below 262144`},
		{vocab("zz", 1e30), `model.vocab["zz"] has the id 1e+30`},
		{vocab("zz", 4294967296), `model.vocab["zz"] has the id 4294967296`},
		{vocab("zz", 262144), `model.vocab["zz"] has the id 262144`},
		{vocab("zz", 1.5), `model.vocab["zz"] has the id 1.5`},
		{vocab("zz", "x"), `model.vocab["zz"] is no id`},
		{vocab("a b", 258), `model.vocab["a b"] has the character ' ', which stands for no byte`},
		{vocab("日", 258), `has the character '日'`},
		{vocab("<|end|>", 258), `model.vocab["<|end|>"] has id 258, and id 259 in added_tokens`},
		{added(0, "<x>", true), `has id 0, which "<x>" has too`},
		{added(258, "", true), `added_tokens[0].content is ""`},
		{added(262144, "<x>", true), `added_tokens[0], "<x>", has the id 262144`},
		{added(258, "  ", false), `added_tokens[0] is "  ", which is not special and so would be looked for in text`},
		{added(258, "hello", false), `added_tokens[0] is "hello"`},
		{with(small(), "added_tokens", list{object{"id": 258, "content": "<a>", "special": true}, object{"id": 258, "content": "<b>", "special": true}}), `added_tokens[1], "<b>", has id 258, which "<a>" has too`},
		{with(small(), "added_tokens", list{object{"id": 258, "content": "he", "special": true}}), `model.vocab["he"] has id 256, and id 258 in added_tokens`},
		{with(small(), "added_tokens", list{object{"id": 256, "content": "he", "special": true}}), `model.merges[0] has the token "he", which does not come from text`},
		{with(small(), "model.vocab", object{"a": 0}), "model.merges[0] is of"},
		{with(with(small(), "model.vocab", object{"a": 0}), "model.merges", list{}), "no token is the byte 0x00"},
	} {
		if d, err := read(t, c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("read as %v, error %v, want %s", d != nil, err, c.want)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	whole, err := json.Marshal(small())
	if err != nil {
		t.Fatal(err)
	}
	twice := strings.Replace(string(whole), `"he":256`, `"he":256,"he":256`, 1)
	many := strings.Replace(string(whole), `"merges":["h e","he l"]`, `"merges":[`+strings.Repeat(`"h e",`, bpe.MaxMerges)+`"h e"]`, 1)
	for _, c := range []struct{ name, file, want string }{
		{"nothing", "", "is no JSON object"},
		{"cut off", string(whole[:len(whole)/2]), "is no JSON object"},
		{"a list", "[]", "is no JSON object"},
		{"null", "null", "model is missing"},
		{"deep", strings.Repeat("[", 1<<20), "is no JSON object"},
		{"deep inside", `{"model":{"type":"BPE"},"normalizer":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, "normalizer is [[["},
		{"no vocabulary", `{"model":{"type":"BPE"},"pre_tokenizer":` + byteLevelAs(false, true) + `,"decoder":` + byteLevelDecoder + `}`, "model.vocab is missing"},
		{"bytes", "{\"a\":\"\xff\"}", "is not UTF-8"},
		{"a token twice", twice, `model.vocab["he"] stands there twice`},
		{"merges without end", many, fmt.Sprintf("model.merges has more than %d elements", bpe.MaxMerges)},
		{"many words for little", `{"model":{"type":"BPE"},"normalizer":"` + strings.Repeat("x", 1<<20) + `"}`, "normalizer is"},
	} {
		_, err := ReadHuggingFace(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
			t.Errorf("%s: error %.300v, want %s", c.name, err, c.want)
		}
	}
	if _, err := ReadHuggingFace(endless{}); err == nil || !strings.Contains(err.Error(), "longer than 100 MB") {
		t.Errorf("a file without end: %v", err)
	}
}

// endless is a file without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestWhatATokenizerFileCannotHold(t *testing.T) {
	base := func() *bpe.Definition {
		return bpe.Plain([]bpe.Merge{{Left: '<', Right: 'a'}, {Left: 256, Right: '>'}})
	}
	like := base()
	like.Tokens = append(like.Tokens, bpe.Token{Bytes: []byte("<a>"), Kind: bpe.Special})
	binary := base()
	binary.Tokens = append(binary.Tokens, bpe.Token{Bytes: []byte("\xff"), Kind: bpe.Special})
	for _, c := range []struct {
		d    *bpe.Definition
		want string
	}{
		{like, `tokens 257 and 258 would both be written as "<a>"`},
		{binary, `special token 258, "\xff", is not UTF-8`},
		{bpe.Plain([]bpe.Merge{{Left: 7, Right: 300}}), "id 300 does not exist yet"},
	} {
		if err := WriteHuggingFace(new(bytes.Buffer), c.d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func FuzzHuggingFace(f *testing.F) {
	for _, file := range []object{small(), llama2()} {
		data, err := json.Marshal(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadHuggingFace(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteHuggingFace(&b, d); err != nil {
			return // tokens that would be written alike
		}
		if back, err := ReadHuggingFace(&b); err != nil || !back.Equal(d) {
			t.Errorf("written and read again it is another, %v", err)
		}
	})
}
