package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// One query at a time gives the bits of the whole sequence at once, as the sequence grows, also where its beginning is a copy.
func TestDecodeEqualsForward(t *testing.T) {
	for _, c := range []Attention{
		{Heads: 2, Groups: 2, Dim: 4}, {Heads: 4, Groups: 2, Dim: 6}, {Heads: 3, Groups: 1, Dim: 16}, {Heads: 1, Groups: 1, Dim: 32},
		{Heads: 2, Groups: 1, Dim: 80}, {Heads: 1, Groups: 1, Dim: 128},
	} {
		for _, isa := range Choices() {
			t.Run(fmt.Sprintf("%d heads of %d/%s", c.Heads, c.Dim, isa), func(t *testing.T) {
				choose(t, isa)
				const count, prompt = 115, 37
				r := rand.New(rand.NewPCG(1, 2))
				width, shared := c.Heads*c.Dim, c.Groups*c.Dim
				c.Scale = 0.3
				q, k, v := random(r, count*width), random(r, count*shared), random(r, count*shared)
				want, got := make([]float32, count*width), make([]float32, width)
				var s Scratch
				for group := range c.Groups {
					own := group * c.Dim
					c.ForwardSequence(&s, group, count, q, k, v, want, nil)
					past, other := NewPast(c.Dim, count, make([]float32, PastSize(c.Dim, count))), NewPast(c.Dim, count, make([]float32, PastSize(c.Dim, count)))
					other.Store(0, prompt, k[own:], v[own:], shared)
					past.Copy(&other, prompt)
					for at := prompt; at < count; at++ {
						past.Store(at, 1, k[at*shared+own:], v[at*shared+own:], shared)
						c.Decode(&s, group, at+1, q[at*width:][:width], &past, got)
						for h := group * c.Heads / c.Groups; h < (group+1)*c.Heads/c.Groups; h++ {
							equalBits(t, fmt.Sprintf("position %d, head %d", at, h), got[h*c.Dim:][:c.Dim], want[at*width+h*c.Dim:][:c.Dim])
						}
					}
					for at := range prompt {
						c.Decode(&s, group, at+1, q[at*width:][:width], &past, got)
						equalBits(t, fmt.Sprint("position ", at), got[group*c.Heads/c.Groups*c.Dim:][:c.Dim], want[at*width+group*c.Heads/c.Groups*c.Dim:][:c.Dim])
					}
				}
			})
		}
	}
}
