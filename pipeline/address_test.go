package pipeline

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestParseAddr: every address that a point prints reads back as that point, types and all.
func TestParseAddr(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	strings := []string{"short", "true", "1e3", "", "a b", `q"uote`, "a,b=c", "[x]", "世界", "-", "x/y", "\n"}
	for range 500 {
		want := Point{}
		for _, name := range []string{"depth", "finetune_seed", "seed", "task", "wide"} {
			var v any
			switch {
			case r.IntN(3) == 0:
				continue
			case name == "seed" || name == "finetune_seed":
				v = int64(r.Uint64())
			case name == "task":
				v = strings[r.IntN(len(strings))]
			case name == "wide":
				v = r.IntN(2) == 0
			default:
				v = math.Float64frombits(r.Uint64())
				if f := v.(float64); math.IsNaN(f) || math.IsInf(f, 0) || f == 0 {
					v = float64(r.IntN(4))
				}
			}
			want = append(want, Coordinate{name, v})
		}
		addr := "module.m.pretrain.base"
		if len(want) > 0 {
			addr += "[" + want.String() + "]"
		}
		block, got, err := ParseAddr(addr)
		if err != nil || block != "module.m.pretrain.base" || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s %v %v, want %v", addr, block, got, err, want)
		}
		if kind := KindOf(addr); kind != "pretrain" {
			t.Errorf("%s is of the kind %s", addr, kind)
		}
	}
	for _, addr := range []string{"", "pretrain", "pretrain.base[", "pretrain.base[seed]", "pretrain.base[seed=1.5]", "pretrain.base[x=1x]", `pretrain.base[x="]`} {
		if _, _, err := ParseAddr(addr); err == nil {
			t.Errorf("%q is taken for an address", addr)
		}
	}
}
