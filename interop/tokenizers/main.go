// Tokenizers encodes texts with a published tokenizer, for tokenizers.mjs to compare: it reads a tokenizer.json, then a JSON string a
// line from standard input, and prints the ids of each as a JSON list. It checks that they decode to the text, and writes the
// tokenizer again to another file, which must be read back as the same.
//
//	go run ./interop/tokenizers TOKENIZER.json AGAIN.json
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"anneal/lm/bpe"
	"anneal/lm/bpe/tokenizerfile"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./interop/tokenizers TOKENIZER.json AGAIN.json")
		os.Exit(3)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path, again string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := tokenizerfile.ReadHuggingFace(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var written bytes.Buffer
	if err := tokenizerfile.WriteHuggingFace(&written, d); err != nil {
		return fmt.Errorf("%s: %w", again, err)
	}
	if err := os.WriteFile(again, written.Bytes(), 0o666); err != nil {
		return err
	}
	back, err := tokenizerfile.ReadHuggingFace(&written)
	if err != nil {
		return fmt.Errorf("%s: %w", again, err)
	}
	if !back.Equal(d) {
		return fmt.Errorf("%s: is not what it was made of", again)
	}
	v, err := bpe.Build(d)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	in := json.NewDecoder(os.Stdin)
	for i := 0; ; i++ {
		var text string
		if err := in.Decode(&text); errors.Is(err, io.EOF) {
			return out.Flush()
		} else if err != nil {
			return err
		}
		ids := v.Encode([]uint32{}, []byte(text))
		back, err := v.Decode(nil, ids)
		if err != nil {
			return err
		}
		want := text
		if d.Pattern == bpe.SentencePiece {
			want = strings.ReplaceAll(text, "▁", " ") // which are one
		}
		if string(back) != want {
			return fmt.Errorf("text %d, %.200q, decodes to %.200q", i, text, back)
		}
		if err := json.NewEncoder(out).Encode(ids); err != nil {
			return err
		}
	}
}
