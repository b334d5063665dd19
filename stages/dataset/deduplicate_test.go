package dataset

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
)

// lines returns texts as JSON Lines.
func lines(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		json.NewEncoder(&b).Encode(map[string]string{"text": text})
	}
	return b.String()
}

// numbered is a text of so many words, different from those of other names.
func numbered(name string, words int) string {
	var all []string
	for i := range words {
		all = append(all, fmt.Sprintf("%s%d", name, i))
	}
	return strings.Join(all, " ")
}

func TestDeduplicate(t *testing.T) {
	a, b := numbered("a", 100), numbered("b", 100)
	nearly := a[:len(a)-len(" a98 a99")] + ", at last." // 94 of 96 and 96 shingles
	files := map[string]string{
		"first.jsonl":  lines(a, "", b, "short", nearly, a, "kept"),
		"second.jsonl": lines(strings.ToUpper(b), numbered("c", 20), "short"),
	}
	const text = `
	dataset "all" {
	  source = ["first.jsonl", "second.jsonl"]
	  deduplicate {
	    near = %g
	  }
	  split {
	    validation = 0.5
	  }
	}`
	near := 94. / 98
	tests := []struct {
		near float64
		want []artifacts.DuplicateRow
	}{
		{0.8, []artifacts.DuplicateRow{
			{Source: 0, Document: 4, OfSource: 0, OfDocument: 0, Kind: "near", Jaccard: &near},
			{Source: 0, Document: 5, OfSource: 0, OfDocument: 0, Kind: "exact"},
			{Source: 1, Document: 0, OfSource: 0, OfDocument: 2, Kind: "near", Jaccard: new(1.)},
			{Source: 1, Document: 2, OfSource: 0, OfDocument: 3, Kind: "exact"},
		}},
		{0, []artifacts.DuplicateRow{
			{Source: 0, Document: 5, OfSource: 0, OfDocument: 0, Kind: "exact"},
			{Source: 1, Document: 2, OfSource: 0, OfDocument: 3, Kind: "exact"},
		}},
	}
	for _, test := range tests {
		var digests []store.Digest
		for _, cores := range []int{1, 4} {
			r := pipelinetest.Run(t, []*pipeline.Kind{Kind}, cores, fmt.Sprintf(text, test.near), files)
			for _, output := range []string{"train", "validation", "duplicates"} {
				digests = append(digests, r.Blob("dataset.all", output).Digest)
			}
			rows, err := artifacts.ReadRows[artifacts.DuplicateRow](r.Path("dataset.all", "duplicates"))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := lines(shown(rows)...), lines(shown(test.want)...); got != want {
				t.Errorf("near %g: duplicates are\n%s, want\n%s", test.near, got, want)
			}
			documents := map[[2]int64]bool{}
			for _, output := range []string{"train", "validation"} {
				blocks, err := artifacts.ReadText(r.Path("dataset.all", output))
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range blocks {
					documents[[2]int64{b.Source, b.Document}] = true
				}
			}
			for _, d := range rows {
				if at := [2]int64{d.Source, d.Document}; documents[at] {
					t.Errorf("near %g: document %v is left out, and there", test.near, at)
				}
			}
			if len(documents)+len(rows) != 9 {
				t.Errorf("near %g: %d documents stay and %d are left out, of 9", test.near, len(documents), len(rows))
			}
		}
		if !slices.Equal(digests[:3], digests[3:]) {
			t.Errorf("near %g: outputs depend on the number of cores", test.near)
		}
	}
}

// shown returns rows in words.
func shown(rows []artifacts.DuplicateRow) (all []string) {
	for _, r := range rows {
		b, _ := json.Marshal(r)
		all = append(all, string(b))
	}
	return all
}

func TestDeduplicateIsRefused(t *testing.T) {
	for _, c := range []struct{ block, want string }{
		{`source = ["a"]
		  split {}
		  deduplicate {
		    near    = 0.05
		    shingle = 0
		  }`, "near must lie within 0.1 and 1, or be 0 for exact duplicates alone, is 0.05"},
		{`source = ["a"]
		  split {}
		  deduplicate {
		    shingle = 0
		  }`, "shingle must lie within 1 and 100, is 0"},
		{`sorting {}
		  examples = 8
		  deduplicate {}`, "deduplicate is for a source"},
	} {
		_, err := pipelinetest.Load(t, []*pipeline.Kind{Kind}, "dataset \"x\" {\n"+c.block+"\n}", map[string]string{"a": "text"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want %q", err, c.want)
		}
	}
}
