package store

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"
)

// Blob names one immutable object by the digest of its bytes: a file, or a tree of files by its manifest. Type says
// how to read it ("tokens", "weights").
type Blob struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes; of a tree, those of its files together
	Type   string `json:"type"`
	Tree   bool   `json:"tree,omitempty"`
}

// Fact is one thing a result depends on: {"config", "adamw.weight_decay", "0.1"}.
type Fact struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (f Fact) compare(g Fact) int {
	if c := strings.Compare(f.Kind, g.Kind); c != 0 {
		return c
	}
	if c := strings.Compare(f.Name, g.Name); c != 0 {
		return c
	}
	return strings.Compare(f.Value, g.Value)
}

// Key is the identity of a result: SHA-256 over its facts in sorted order, each part framed by its length, so that no
// two lists of facts share an encoding.
func Key(facts []Fact) Digest {
	if !slices.IsSortedFunc(facts, Fact.compare) {
		facts = slices.Clone(facts)
		slices.SortFunc(facts, Fact.compare)
	}
	buffer := encodings.Get().(*[]byte)
	b := (*buffer)[:0]
	for i := range facts {
		f := &facts[i]
		for _, part := range [...]string{f.Kind, f.Name, f.Value} {
			b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
			b = append(b, part...)
		}
	}
	key := Digest(sha256.Sum256(b))
	*buffer = b
	encodings.Put(buffer)
	return key
}

var encodings = sync.Pool{New: func() any { return new([]byte) }}

// Result says what one stage made: the facts it depended on and the objects it left.
type Result struct {
	Key     []Fact          `json:"key"`
	Outputs map[string]Blob `json:"outputs"`
	Made    Made            `json:"made"`
}

// Made tells how a result came about. It is kept for people and never hashed into a key.
type Made struct {
	Inputs  map[string]Digest `json:"inputs,omitempty"` // key of the result that each input came from, by field
	Seconds float64           `json:"seconds"`
	Steps   int               `json:"steps,omitempty"` // computed in that time, where the work is counted in steps
	Log     *Blob             `json:"log,omitempty"`
	Tools   map[string]string `json:"tools,omitempty"` // versions, by name

	Trajectory Digest `json:"trajectory,omitzero"` // whose kept states the stage may have passed through, where it has one

	Accepted *Accepted `json:"accepted,omitempty"` // where nothing was computed
}

// Accepted tells that somebody declared the outputs of an older result to be those of this one.
type Accepted struct {
	From   Digest    `json:"from"` // key of the older result
	Reason string    `json:"reason"`
	Time   time.Time `json:"time"`
}
