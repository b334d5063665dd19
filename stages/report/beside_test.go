package report

import (
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
)

func TestBeside(t *testing.T) {
	trained := func(p pipeline.Point, repetition float64, timescale *float64) part {
		return partOf(t, p, []artifacts.TrainingSummary{{Repetition: repetition, Timescale: timescale}})
	}
	training := joined(t, "training", trained(based(1), 1, new(0.5)), trained(based(2), 2, nil))
	scores := joined(t, "scores", scoredAt(t, tuned(1, 1, 0.001), 0.6, 0.7), scoredAt(t, tuned(2, 1, 0.001), 0.6, 0.7), scoredAt(t, tuned(3, 1, 0.001), 0.6, 0.7))
	whole := joined(t, "whole", partOf(t, nil, []measured{{}}))
	again := joined(t, "again", trained(based(1), 7, new(0.1)))
	tables := []*frame{training, scores, whole, again}
	if err := (Beside{"training", []string{"repetition", "timescale"}}).add(training, tables); err != nil {
		t.Fatal(err)
	}
	want := "1 test 1 0.5\n2 test 2 missing\n3 test missing missing\n"
	var got string
	for line := range strings.Lines(scores.lines("seed", "split", "repetition", "timescale")) {
		if strings.Contains(line, "test") {
			got += line
		}
	}
	if got != want {
		t.Errorf("beside scores:\n%swant\n%s", got, want)
	}
	if whole.column("repetition") != nil {
		t.Error("a table without seeds has a repetition")
	}
	if v := again.lines("repetition"); v != "7\n" || len(again.columns) != len(training.columns) {
		t.Errorf("a repetition of its own became %s", v)
	}
	for _, c := range []struct {
		columns []string
		from    *frame
		want    string
	}{
		{[]string{"tau"}, training, "columns: table training has no column tau"},
		{[]string{"seed"}, training, "columns: seed is a coordinate of table training"},
		{[]string{"accuracy"}, scores, "several rows of table scores have finetune seed 1, learning rate 0.001, seed 1"},
		{[]string{"value"}, joined(t, "x", partOf(t, pipeline.Point{{Name: "x", Value: 1.0}}, []measured{{}})), "no other table has all of its coordinates: x"},
	} {
		if err := (Beside{c.from.name, c.columns}).add(c.from, tables); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
