package lm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Source gives the batch of every step, counted from 0: a function of the source's seed and the step alone. Epochs tells how often the data
// has been read after so many steps.
type Source interface {
	Batch(step int, into *Batch)
	Epochs(steps int) float64
}

// IDs is a stream of token ids that may be memory-mapped.
type IDs interface {
	Len() int
	Copy(to []int32, from int) // to[i] = id of element from+i
}

// Stream is a slice of ids as IDs.
type Stream[T uint16 | uint32 | int32] []T

// Len returns the number of ids.
func (s Stream[T]) Len() int { return len(s) }

// Copy copies ids from an index on.
func (s Stream[T]) Copy(to []int32, from int) {
	for i, v := range s[from : from+len(to)] {
		to[i] = int32(v)
	}
}

// order tells which of n items slot i of a training reads, where step s reads the slots batch·s, …, batch·s+batch-1: every pass over the items
// is a permutation of its own, drawn by (seed, pass). So trainings of one seed read the same items in the same order, whatever their batches.
type order struct {
	n    int
	seed int64
	pass int
	draw draws
}

func (o *order) item(slot int) int {
	if pass := slot / o.n; pass != o.pass || o.draw == (draws{}) {
		o.pass, o.draw = pass, newDraws(o.seed, string(strconv.AppendInt([]byte("order of pass "), int64(pass), 10)))
	}
	return o.draw.permute(o.n, slot%o.n)
}

// Blocks is a stream of ids cut into blocks of context+1: each gives context tokens and their successors as targets.
type Blocks struct {
	ids                   IDs
	context, batch, count int
	order                 order
	block                 []int32
}

// NewBlocks returns a source of batches of that many blocks, in an order drawn by seed. What remains after the last whole block is not read.
func NewBlocks(ids IDs, context, batch int, seed int64) (*Blocks, error) {
	if context < 1 || batch < 1 {
		return nil, errors.New("context and batch must be at least 1")
	}
	if context >= ids.Len() {
		return nil, fmt.Errorf("%d tokens are less than one context of %d tokens and its successor", ids.Len(), context)
	}
	count := ids.Len() / (context + 1)
	return &Blocks{ids: ids, context: context, batch: batch, count: count, order: order{n: count, seed: seed}, block: make([]int32, context+1)}, nil
}

// Count returns the number of blocks in the stream.
func (b *Blocks) Count() int { return b.count }

// Batch implements Source.
func (b *Blocks) Batch(step int, into *Batch) {
	into.resize(b.batch, b.context)
	for i := range b.batch {
		b.read(into, i, b.order.item(step*b.batch+i))
	}
}

func (b *Blocks) read(into *Batch, i, block int) {
	b.ids.Copy(b.block, block*(b.context+1))
	copy(into.Tokens[i*b.context:], b.block[:b.context])
	copy(into.Targets[i*b.context:][:b.context], b.block[1:])
}

// Epochs implements Source.
func (b *Blocks) Epochs(steps int) float64 {
	return float64(steps) * float64(b.batch) / float64(b.count)
}

// EvaluationBlocks returns at most limit blocks (0: all), evenly spread over the stream, in batches of at most that many.
func EvaluationBlocks(ids IDs, context, batch, limit int) ([]Batch, error) {
	b, err := NewBlocks(ids, context, batch, 0)
	if err != nil {
		return nil, err
	}
	return b.spread(limit, b.count, func(i int) int { return i }), nil
}

// SeenBlocks is EvaluationBlocks of the blocks alone that a training of this stream and context had read after so many sequences, given the
// seed of their order.
func SeenBlocks(ids IDs, context, batch, limit int, seed int64, sequences int) ([]Batch, error) {
	b, err := NewBlocks(ids, context, batch, seed)
	if err != nil {
		return nil, err
	}
	seen := make([]int, min(sequences, b.count)) // each pass reads every block once
	for slot := range seen {
		seen[slot] = b.order.item(slot)
	}
	slices.Sort(seen)
	return b.spread(limit, len(seen), func(i int) int { return seen[i] }), nil
}

// spread returns at most limit (0: all) of count blocks, evenly spread, in batches.
func (b *Blocks) spread(limit, count int, block func(i int) int) []Batch {
	n := count
	if limit > 0 {
		n = min(n, limit)
	}
	var out []Batch
	for first := 0; first < n; first += b.batch {
		var into Batch
		into.resize(min(b.batch, n-first), b.context)
		for i := range into.Sequences {
			b.read(&into, i, block((first+i)*count/n))
		}
		out = append(out, into)
	}
	return out
}

// Example is a prompt and the response to be learnt.
type Example struct{ Prompt, Response []int32 }

// Examples is a source of supervised examples: each is a sequence from position 0, with loss on the tokens of the response alone.
type Examples struct {
	examples []Example
	order    order
	chosen   []Example // of a batch
}

// NewExamples returns a source of batches of that many examples, in an order drawn by seed, padded to the longest of the batch. Prompts and
// responses must not be empty, and together at most context+1 tokens.
func NewExamples(examples []Example, context, batch int, seed int64) (*Examples, error) {
	if batch < 1 {
		return nil, errors.New("batch must be at least 1")
	}
	if len(examples) == 0 {
		return nil, errors.New("there are no examples")
	}
	for i, e := range examples {
		if len(e.Prompt) == 0 || len(e.Response) == 0 {
			return nil, fmt.Errorf("example %d has an empty prompt or response", i)
		}
		if n := len(e.Prompt) + len(e.Response); n > context+1 {
			return nil, fmt.Errorf("example %d has %d tokens, a context of %d holds at most %d", i, n, context, context+1)
		}
	}
	return &Examples{examples: examples, order: order{n: len(examples), seed: seed}, chosen: make([]Example, batch)}, nil
}

// Count returns the number of examples.
func (e *Examples) Count() int { return len(e.examples) }

// Batch implements Source.
func (e *Examples) Batch(step int, into *Batch) {
	for i := range e.chosen {
		e.chosen[i] = e.examples[e.order.item(step*len(e.chosen)+i)]
	}
	fillExamples(e.chosen, into)
}

// Epochs implements Source.
func (e *Examples) Epochs(steps int) float64 {
	return float64(steps) * float64(len(e.chosen)) / float64(len(e.examples))
}

// fillExamples pads with token 0, whose positions have no target; attention is causal, so nothing before them sees them.
func fillExamples(examples []Example, into *Batch) {
	length := 0
	for _, e := range examples {
		length = max(length, len(e.Prompt)+len(e.Response)-1)
	}
	into.resize(len(examples), length)
	clear(into.Tokens)
	for i := range into.Targets {
		into.Targets[i] = -1
	}
	for i, e := range examples {
		tokens, targets := into.Tokens[i*length:][:length], into.Targets[i*length:][:length]
		n := copy(tokens, e.Prompt)
		copy(tokens[n:], e.Response[:len(e.Response)-1])
		copy(targets[n-1:], e.Response)
	}
}

// EvaluationExamples returns all examples in their order, in batches of at most that many.
func EvaluationExamples(examples []Example, context, batch int) ([]Batch, error) {
	if _, err := NewExamples(examples, context, batch, 0); err != nil {
		return nil, err
	}
	var out []Batch
	for first := 0; first < len(examples); first += batch {
		var into Batch
		fillExamples(examples[first:min(len(examples), first+batch)], &into)
		out = append(out, into)
	}
	return out, nil
}
