package cli

import (
	"fmt"
	"strings"
	"testing"

	"anneal/pipeline"
)

// TestGrouped: on a terminal, steps of a block that say the same share a line where they are many; few keep theirs.
func TestGrouped(t *testing.T) {
	var lines []planLine
	add := func(block, do, addr string, why ...string) {
		lines = append(lines, planLine{block, do, addr, why})
	}
	add("dataset.text", pipeline.Cached, "dataset.text")
	for i := range 20 {
		point := fmt.Sprintf("[seed=%d]", i)
		switch {
		case i < 10:
			add("pretrain.base", pipeline.Cached, "pretrain.base"+point)
		case i < 18:
			add("pretrain.base", pipeline.Run, "pretrain.base"+point, "new point")
		default:
			add("pretrain.base", pipeline.Run, "pretrain.base"+point, "steps: 1 → 2")
		}
	}
	for i := range 24 {
		point := fmt.Sprintf("[seed=%d]", i)
		add("finetune.sft", pipeline.Maybe, "finetune.sft"+point, "new point", pipeline.WaitsFor+"pretrain.base"+point)
	}
	var got []string
	for _, l := range grouped(lines) {
		got = append(got, strings.TrimSpace(l.do+" "+l.addr+" "+strings.Join(l.why, "; ")))
	}
	want := []string{"cached dataset.text", "cached pretrain.base ×10"}
	for i := 10; i < 18; i++ {
		want = append(want, fmt.Sprintf("run pretrain.base[seed=%d] new point", i))
	}
	want = append(want, "run pretrain.base[seed=18] steps: 1 → 2", "run pretrain.base[seed=19] steps: 1 → 2",
		"maybe finetune.sft ×24 new point; waits for pretrain.base[…]")
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
