package lm

import (
	"bytes"
	"context"
	"fmt"

	"anneal/lm/kernel"
)

// Problem is a prompt to be continued.
type Problem struct {
	Prompt []int32
	Name   string   // what draws are keyed by: equal prompts of different names are continued independently
	Stops  []string // a continuation is complete once its text contains one of them
}

// Generation says how problems are continued: by the likeliest token each time, at equal logits the lowest, by draws, or both.
type Generation struct {
	Greedy   bool                     // one continuation
	Samples  int                      // so many that are drawn
	Sampling Sampling                 // how
	Seed     int64                    // of the draws
	Length   int                      // tokens of a continuation, at most; 0: what the context holds
	Text     func(token int32) []byte // the bytes that a token stands for; needed where there are stops
	Done     func(sequences int)      // unless nil, is told after each step how many continuations are complete
}

// Generated is one continuation.
type Generated struct {
	Tokens         []int32
	Text           []byte  // of Tokens, where Generation.Text is set
	LogProbability float64 // sum of the log-probabilities of Tokens by the model, before penalty and temperature, in nats
	Stopped        bool    // a stop string is there; otherwise Length or the context was reached
}

// together is the number of sequences that are generated at a time. It is below what a block of logits holds.
const together = 64

// Generate continues each problem, and returns its continuations: the greedy one if there is one, then those drawn. None goes past the context.
//
// The draw of a token is a function of the seed, the problem's name, the number of the sample among those drawn, from 1, and the token's
// position in the continuation. Keys and values are kept in a cache, and a problem's prompt is read once. Neither the other continuations nor
// their order change a bit of one.
func (n *Net) Generate(ctx context.Context, all []Problem, how Generation) ([][]Generated, error) {
	if n.model.Classes > 0 {
		return nil, fmt.Errorf("a model of %d classes has no next token", n.model.Classes)
	}
	if how.Samples < 0 {
		return nil, &FieldError{"samples", fmt.Sprintf("must not be negative, is %d", how.Samples)}
	}
	if how.Samples > 0 {
		if err := how.Sampling.Check(); err != nil {
			return nil, err
		}
	}
	longest := 0
	for i, p := range all {
		if len(p.Prompt) == 0 {
			return nil, fmt.Errorf("prompt %d is empty", i)
		}
		if len(p.Prompt) > n.context {
			return nil, fmt.Errorf("prompt %d has %d tokens, the context is %d", i, len(p.Prompt), n.context)
		}
		longest = max(longest, len(p.Prompt))
	}
	if how.Length <= 0 || how.Length > n.context {
		how.Length = n.context
	}
	g := newGenerator(n, all, how, min(n.context, longest+how.Length-1))
	n.workers.Resize()
	n.pack(false)
	for {
		g.admit()
		if len(g.active) == 0 {
			return g.out, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n.workers.Resize()
		if err := g.step(); err != nil {
			return nil, err
		}
	}
}

// generator carries out a generation. Waiting continuations, in order, take the slots of the cache that complete ones leave.
type generator struct {
	Generation
	net      *Net
	problems []Problem
	out      [][]Generated
	cache    *cache
	free     []int // slots
	active   []sequence
	complete int

	problem, continuation int // the next one to be admitted
	source                int // the slot that has read the prompt of the problem, if continuation is not its first

	// Of one step.
	tokens   []int32
	segments []segment
	copies   []prefix
	next     []int32
	ranks    []uint64 // (together,vocab), where the sampling needs them

	logits, choose job // computeLogits and chooseToken
}

// sequence is a continuation that is being generated.
type sequence struct {
	problem *Problem
	out     *Generated
	slot    int
	greedy  bool
	draws   draws
}

// prefix is the beginning of a sequence that another slot is to have too.
type prefix struct{ from, to, count int }

func newGenerator(n *Net, all []Problem, how Generation, length int) *generator {
	each := how.Samples
	if how.Greedy {
		each++
	}
	slots := min(together, each*len(all))
	g := &generator{Generation: how, net: n, problems: all, cache: newCache(n, length, slots), next: make([]int32, slots)}
	g.logits, g.choose = g.computeLogits, g.chooseToken
	for range all {
		g.out = append(g.out, make([]Generated, each))
	}
	for slot := slots - 1; slot >= 0; slot-- {
		g.free = append(g.free, slot)
	}
	if how.Samples > 0 && how.Sampling.ranked() {
		g.ranks = make([]uint64, slots*n.vocab)
	}
	if each == 0 {
		g.problem = len(all)
	}
	return g
}

// admit gives free slots to waiting continuations. The first of a problem reads the prompt but for its last token, the others copy what it
// has read; the last token is the input of each one's first step.
func (g *generator) admit() {
	for len(g.free) > 0 && g.problem < len(g.problems) {
		p := &g.problems[g.problem]
		slot := g.free[len(g.free)-1]
		g.free = g.free[:len(g.free)-1]
		switch read := len(p.Prompt) - 1; {
		case g.continuation == 0:
			if len(g.tokens)+read > hiddenRows {
				g.read()
			}
			if read > 0 {
				g.segments = append(g.segments, segment{row: len(g.tokens), count: read, slot: slot})
				g.tokens = append(g.tokens, p.Prompt[:read]...)
			}
			g.source = slot
		case len(g.segments) == 0: // it was read before, and its slot may be the next to go
			g.cache.copy(prefix{g.source, slot, read})
		default:
			g.copies = append(g.copies, prefix{g.source, slot, read})
		}
		s := sequence{problem: p, out: &g.out[g.problem][g.continuation], slot: slot, greedy: g.Greedy && g.continuation == 0}
		if !s.greedy {
			sample := g.continuation
			if !g.Greedy {
				sample++
			}
			s.draws = newDraws(g.Seed, fmt.Sprintf("sample %d of %s", sample, p.Name))
		}
		g.active = append(g.active, s)
		if g.continuation++; g.continuation == len(g.out[g.problem]) {
			g.problem, g.continuation = g.problem+1, 0
		}
	}
	g.read()
}

// read runs the net over the prompts of new sequences.
func (g *generator) read() {
	if len(g.segments) > 0 {
		g.net.reserve(len(g.tokens), false)
		g.net.forward(g.tokens, g.segments, g.cache, nil)
	}
	for _, c := range g.copies {
		g.cache.copy(c)
	}
	g.tokens, g.segments, g.copies = g.tokens[:0], g.segments[:0], g.copies[:0]
}

// step adds a token to each active sequence.
func (g *generator) step() error {
	n, rows := g.net, len(g.active)
	for i, s := range g.active {
		at := len(s.problem.Prompt) + len(s.out.Tokens) - 1
		last := s.problem.Prompt[len(s.problem.Prompt)-1]
		if k := len(s.out.Tokens); k > 0 {
			last = s.out.Tokens[k-1]
		}
		g.segments = append(g.segments, segment{row: i, count: 1, start: at, slot: s.slot})
		g.tokens = append(g.tokens, last)
	}
	n.reserve(rows, false)
	n.forward(g.tokens, g.segments, g.cache, nil)
	g.tokens, g.segments = g.tokens[:0], g.segments[:0]
	n.workers.Each(n.workers.Size(), g.logits)
	n.workers.Each(rows, g.choose)
	active := g.active[:0]
	for i, s := range g.active {
		o := s.out
		if loss := n.work.loss[i]; loss-loss != 0 || g.next[i] < 0 {
			return fmt.Errorf("the model's logits, or what the penalty makes of them, are not finite, %d tokens after the prompt of %s",
				len(o.Tokens), s.problem.Name)
		}
		o.Tokens = append(o.Tokens, g.next[i])
		o.LogProbability -= n.work.loss[i]
		if g.Text != nil {
			text := g.Text(g.next[i])
			o.Text = append(o.Text, text...)
			o.Stopped = ends(o.Text, len(text), s.problem.Stops)
		}
		if o.Stopped || len(o.Tokens) >= g.Length || len(s.problem.Prompt)+len(o.Tokens) > n.context {
			g.free = append(g.free, s.slot)
			g.complete++
			continue
		}
		active = append(active, s)
	}
	g.active = active
	if g.Done != nil {
		g.Done(g.complete)
	}
	return nil
}

// computeLogits computes those of one core's share of the active sequences.
func (g *generator) computeLogits(_ *kernel.Scratch, share int) {
	rows, size := len(g.active), g.net.workers.Size()
	from, to := share*rows/size, (share+1)*rows/size
	g.net.computeLogits(from, to, part(g.net.work.logits, g.net.vocab, from, to))
}

// chooseToken finds the next token of the i-th active sequence and its negative log-likelihood. Where one of them is no number, there is none: the
// token is -1, or the likelihood not finite.
func (g *generator) chooseToken(scratch *kernel.Scratch, i int) {
	n, s := g.net, &g.active[i]
	logits := part(n.work.logits, n.vocab, i, i+1)
	if s.greedy {
		g.next[i] = largest(logits)
	} else {
		buffer := scratch.Floats(2 * n.vocab)
		weights, own := buffer[:n.vocab], buffer[n.vocab:]
		copy(own, logits)
		g.Sampling.penalise(own, logits, s.problem.Prompt)
		g.Sampling.penalise(own, logits, s.out.Tokens)
		var ranks []uint64
		if g.ranks != nil {
			ranks = g.ranks[i*n.vocab:][:n.vocab]
		}
		g.Sampling.weigh(weights, own, ranks)
		g.next[i] = draw(weights, s.draws.uniform(uint64(len(s.out.Tokens))))
	}
	kernel.CrossEntropy(n.work.loss[i:i+1], logits, g.next[i:i+1], false, 0, 0)
}

// ends tells whether text contains one of the stops, which it did not before its last added bytes.
func ends(text []byte, added int, stops []string) bool {
	for _, s := range stops {
		if s != "" && bytes.Contains(text[max(0, len(text)-added-len(s)+1):], []byte(s)) {
			return true
		}
	}
	return false
}

// cache keeps what sequences have read, by layer, slot and group.
type cache struct {
	slots, groups int
	pasts         []kernel.Past
}

func newCache(n *Net, length, slots int) *cache {
	groups, dim := n.model.Groups(), n.model.HeadDim()
	c := &cache{slots: slots, groups: groups, pasts: make([]kernel.Past, n.model.Layers*slots*groups)}
	size := kernel.PastSize(dim, length)
	memory := make([]float32, len(c.pasts)*size)
	for i := range c.pasts {
		c.pasts[i] = kernel.NewPast(dim, length, memory[i*size:][:size])
	}
	return c
}

func (c *cache) past(l, slot, group int) *kernel.Past {
	return &c.pasts[(l*c.slots+slot)*c.groups+group]
}

func (c *cache) copy(p prefix) {
	if p.from == p.to {
		return
	}
	for l := range len(c.pasts) / (c.slots * c.groups) {
		for group := range c.groups {
			c.past(l, p.to, group).Copy(c.past(l, p.from, group), p.count)
		}
	}
}
