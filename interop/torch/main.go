// Torch trains small models on Newton's Opticks, 200 steps each, and leaves in a folder what compare.py needs to do the same with PyTorch:
// initial weights, batches, configuration and our losses.
//
//	go run ./interop/torch DIR
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"anneal/lm"
	"anneal/pipeline/source"
)

const (
	vocab  = 256 // bytes
	length = 64
	batch  = 32
	steps  = 200
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./interop/torch DIR")
		os.Exit(3)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	path, err := source.GoFile(ctx, "src/testdata/Isaac.Newton-Opticks.txt")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ids := make(lm.Stream[int32], len(text))
	for i, b := range text {
		ids[i] = int32(b)
	}
	llama := lm.DefaultModel()
	llama.Layers, llama.Width, llama.Heads, llama.FF = 2, 64, 2, 176
	olmo2 := llama
	olmo2.Family, olmo2.KVHeads = "olmo2", 1
	for _, m := range []lm.Model{llama, olmo2} {
		if err := train(ctx, m, ids, filepath.Join(dir, m.Family)); err != nil {
			return fmt.Errorf("%s: %w", m.Family, err)
		}
	}
	return nil
}

// index is what index.json holds. Beside it stand the initial weights in their order, as float32, and the tokens and the targets of all
// batches (steps,batch,length), as int32: little-endian.
type index struct {
	Model     lm.Model
	Optimizer lm.AdamW
	Schedule  lm.Schedule
	Vocab     int
	Steps     int
	Batch     int
	Length    int
	Weights   []lm.Shape
	Losses    []float64 // mean of each batch before its step
}

func train(ctx context.Context, m lm.Model, ids lm.IDs, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	net, err := lm.New(m, vocab, length, 1)
	if err != nil {
		return err
	}
	data, err := lm.NewBlocks(ids, length, batch, 1)
	if err != nil {
		return err
	}
	var weights, tokens, targets []byte
	for _, p := range net.Parameters() {
		weights, _ = binary.Append(weights, binary.LittleEndian, p.Value.Data())
	}
	var b lm.Batch
	for step := range steps {
		data.Batch(step, &b)
		tokens, _ = binary.Append(tokens, binary.LittleEndian, b.Tokens)
		targets, _ = binary.Append(targets, binary.LittleEndian, b.Targets)
	}
	x := index{Model: m, Optimizer: lm.DefaultAdamW(), Schedule: lm.DefaultSchedule(), Vocab: vocab, Steps: steps, Batch: batch, Length: length, Weights: m.Shapes(vocab)}
	x.Optimizer.LearningRate, x.Schedule.Warmup = 3e-3, 0.1
	trainer, err := lm.NewTrainer(net, lm.Training{
		Optimizer: x.Optimizer, Schedule: x.Schedule, Steps: steps, Data: data, RowEvery: steps,
		OnStep: func(_ int, loss float64) error {
			x.Losses = append(x.Losses, loss)
			return nil
		},
	})
	if err != nil {
		return err
	}
	if err := trainer.Run(ctx, steps); err != nil {
		return err
	}
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"weights": weights, "tokens": tokens, "targets": targets, "index.json": text} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			return err
		}
	}
	return nil
}
