package bench

import (
	"context"
	"flag"
	"os"
	"slices"
	"time"

	"anneal/cli"
	"anneal/lm/bpe"
	"anneal/pipeline/source"
)

var tokenize = cli.Benchmark{
	Name:  "tokenize",
	Short: "MB a second of the tokenizer on one core",
	Long:  `Train byte-level BPE on Newton's Opticks, which comes with Go, and encode the book, in MB of text a second: the medians of several runs.`,
	Measure: func(flags *flag.FlagSet) func(context.Context, func(any)) error {
		size := flags.Int("vocab", 4096, "learn a vocabulary of `N` tokens")
		return func(ctx context.Context, row func(any)) error { return tokenizer(ctx, *size, row) }
	},
}

// tokenizeRow is the result of tokenizer.
type tokenizeRow struct {
	Vocab  int     `json:"vocab"`
	Train  float64 `json:"train_mb_per_second"`
	Encode float64 `json:"encode_mb_per_second"`
}

func tokenizer(ctx context.Context, size int, row func(any)) error {
	path, err := source.GoFile(ctx, "src/testdata/Isaac.Newton-Opticks.txt")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var training, encoding []float64
	var ids []uint32
	for range 5 {
		start := time.Now()
		v, err := bpe.Train(ctx, slices.Values([][]byte{text}), size)
		if err != nil {
			return err
		}
		trained := time.Now()
		ids = v.Encode(ids[:0], text)
		training = append(training, float64(len(text))/1e6/trained.Sub(start).Seconds())
		encoding = append(encoding, float64(len(text))/1e6/time.Since(trained).Seconds())
	}
	row(tokenizeRow{size, round(median(training), 2), round(median(encoding), 2)})
	return nil
}
