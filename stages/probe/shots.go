package probe

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// demonstrations returns count of the pool's examples for each example of the split, for its prompts to begin with. Which
// ones is a function of the seed, the split and the example alone, and fewer of them are the first of more. None has the
// example's own prompt, none comes twice.
func (p *split) demonstrations(pool []artifacts.Example, count int, seed int64) ([][]artifacts.Example, error) {
	all := make([][]artifacts.Example, len(p.examples))
	for i, e := range p.examples {
		var chosen []int
		others := 0
		for _, d := range pool {
			if d.Prompt != e.Prompt {
				others++
			}
		}
		if others < count {
			return nil, pipeline.Errorf("shots", "asks for %d demonstrations, and of the %d given %d have another prompt than example %d of %s: give more of them",
				count, len(pool), others, p.numbers[i], p.name)
		}
		for draw := 0; len(chosen) < count; draw++ {
			h := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %d", seed, p.name, p.numbers[i], draw))
			high, _ := bits.Mul64(binary.LittleEndian.Uint64(h[:]), uint64(len(pool)))
			k := int(high)
			if pool[k].Prompt == e.Prompt || slices.Contains(chosen, k) {
				continue
			}
			if pool[k].Stop != e.Stop || pool[k].Extract != e.Extract {
				return nil, pipeline.Errorf("demonstrations", "example %d ends with %q and its answer is %s, those of %s end with %q and theirs is %s: take demonstrations of the same template",
					k, pool[k].Stop, pool[k].Extract, p.name, e.Stop, e.Extract)
			}
			chosen = append(chosen, k)
			all[i] = append(all[i], pool[k])
		}
	}
	return all, nil
}

// behind returns the split with each prompt behind the first shots of its demonstrations. Those that are too long are
// counted and refused, with the number of shots that leaves room for all.
func (p *split) behind(demonstrations [][]artifacts.Example, shots int, m *weights.Model) (*split, error) {
	q := &split{name: p.name, shots: shots, examples: slices.Clone(p.examples), numbers: p.numbers, encoded: make([]lm.Example, len(p.encoded))}
	room := m.Net.Context() + 1
	long, longest, fitting := 0, 0, shots
	for i, e := range p.encoded {
		var text string
		var tokens []int32
		size := len(e.Prompt) + len(e.Response)
		for j, d := range demonstrations[i][:shots] {
			text += d.Prompt + d.Response
			tokens = append(append(tokens, m.Encode(d.Prompt)...), m.Encode(d.Response)...)
			if size+len(tokens) > room {
				fitting = min(fitting, j)
			}
		}
		size += len(tokens)
		longest = max(longest, size)
		if size > room {
			long++
		}
		q.examples[i].Prompt = text + q.examples[i].Prompt
		q.encoded[i] = lm.Example{Prompt: append(tokens, e.Prompt...), Response: e.Response}
	}
	if long > 0 {
		return nil, pipeline.Errorf("shots", "%d are too many for %d of the %d prompts of %s: the longest has %d tokens with its reference, context %d has room for %d; shots up to %d fit all of them, more need a longer context",
			shots, long, len(p.examples), p.name, longest, m.Net.Context(), room, fitting)
	}
	return q, nil
}
