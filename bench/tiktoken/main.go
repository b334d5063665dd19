// Command tiktoken encodes a text with tiktoken-go's r50k and prints what took how many seconds, as bench/bpe does. It is a module of
// its own, so that Anneal does not depend on what it is measured against.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"github.com/tiktoken-go/tokenizer"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "tiktoken:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	codec, err := tokenizer.Get(tokenizer.R50kBase)
	if err != nil {
		return err
	}
	if _, _, err := codec.Encode(string(text[:len(text)/20])); err != nil {
		return err
	}
	start := time.Now()
	ids, _, err := codec.Encode(string(text))
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	h := fnv.New32a()
	for _, id := range ids {
		binary.Write(h, binary.LittleEndian, uint32(id)) // to memory
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": seconds, "ids": len(ids), "digest": h.Sum32()})
}
