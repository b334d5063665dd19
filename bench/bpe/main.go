// Command bpe is Anneal's side of bench/tokenize.py: it learns a vocabulary, by lm/bpe or by the naive loop, or encodes a text, on as many
// cores as GOMAXPROCS allows, and prints what took how many seconds as a line of JSON.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"anneal/lm/bpe"
	"anneal/lm/bpe/tokenizerfile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bpe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: bpe learn TEXT SIZE [RANKS] | naive TEXT SIZE | encode TEXT RANKS")
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "learn", "naive":
		size, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		if args[0] == "naive" {
			return naive(text, size)
		}
		return learn(text, size, args[3:])
	case "encode":
		return encode(text, args[2])
	}
	return fmt.Errorf("%q is no command", args[0])
}

// report prints the seconds since start, and how many ids there are and their digest, by which they are compared with others'.
func report(start time.Time, ids []uint32) error {
	seconds := time.Since(start).Seconds()
	h := fnv.New32a()
	binary.Write(h, binary.LittleEndian, ids) // to memory
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": seconds, "ids": len(ids), "digest": h.Sum32()})
}

// learn reports the ids that were merged, left and right in turn, and writes a rank file where it is given a path.
func learn(text []byte, size int, ranks []string) error {
	start := time.Now()
	v, err := bpe.TrainWith(context.Background(), slices.Values([][]byte{text}), size, bpe.TrainOptions{Workers: runtime.GOMAXPROCS(0)})
	if err != nil {
		return err
	}
	merged := make([]uint32, 0, 2*size)
	for _, m := range v.Merges() {
		merged = append(merged, m.Left, m.Right)
	}
	if err := report(start, merged); err != nil || len(ranks) == 0 {
		return err
	}
	f, err := os.Create(ranks[0])
	if err != nil {
		return err
	}
	defer f.Close()
	return tokenizerfile.WriteTiktoken(f, v.Definition())
}

// encode is timed after a part of the text has been encoded, as the others are.
func encode(text []byte, ranks string) error {
	f, err := os.Open(ranks)
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := tokenizerfile.ReadTiktoken(f, bpe.GPT2, nil)
	if err != nil {
		return err
	}
	v, err := bpe.Build(d)
	if err != nil {
		return err
	}
	encoded := func(text []byte) []uint32 {
		if runtime.GOMAXPROCS(0) == 1 {
			return v.Encode(nil, text)
		}
		var ids []uint32
		whole := func(yield func([]byte, bool) bool) { yield(text, false) }
		for some := range v.EncodeParallel(whole, runtime.GOMAXPROCS(0)) {
			ids = append(ids, some...)
		}
		return ids
	}
	encoded(text[:len(text)/20])
	start := time.Now()
	return report(start, encoded(text))
}
