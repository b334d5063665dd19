package lm

import (
	"strings"
	"testing"
)

// The models of the studies that the families come from have the published number of parameters.
func TestParameterCount(t *testing.T) {
	for _, c := range []struct {
		family                           string
		layers, width, heads, groups, ff int
		vocab, want                      int
	}{
		{"llama", 20, 1536, 32, 4, 3216, 32000, 500_921_856},
		{"llama", 22, 2048, 32, 4, 4896, 32000, 1_000_564_736},
		{"llama", 28, 4096, 32, 4, 7792, 32000, 4_000_288_768},
		{"olmo2", 16, 2048, 16, 0, 8192, 100_352, 1_484_916_736},
	} {
		m := DefaultModel()
		m.Family, m.Layers, m.Width, m.Heads, m.KVHeads, m.FF = c.family, c.layers, c.width, c.heads, c.groups, c.ff
		if got := m.ParameterCount(c.vocab); got != c.want {
			t.Errorf("%+v: %d parameters", c, got)
		}
	}
}

// The order of the parameters is part of the format of weights.
func TestShapes(t *testing.T) {
	for family, want := range map[string]string{
		"llama": "embedding layers.0.attention_norm layers.0.q layers.0.k layers.0.v layers.0.o layers.0.ffn_norm layers.0.gate layers.0.up layers.0.down norm output",
		"olmo2": "embedding layers.0.q layers.0.q_norm layers.0.k layers.0.k_norm layers.0.v layers.0.o layers.0.attention_norm " +
			"layers.0.gate layers.0.up layers.0.down layers.0.ffn_norm norm output",
	} {
		m := DefaultModel()
		m.Family, m.Layers, m.Width, m.Heads, m.KVHeads, m.FF = family, 1, 8, 4, 2, 6
		var names []string
		for _, s := range m.Shapes(5) {
			names = append(names, s.Name)
			if s.Name == "layers.0.k_norm" && s.size() != 4 {
				t.Errorf("k_norm has %d gains", s.size())
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s", family, got)
		}
	}
}
