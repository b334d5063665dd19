package cli

import "testing"

// TestElsewhere: of paths that mean something on one machine only, the last name is left; all else stays.
func TestElsewhere(t *testing.T) {
	for text, want := range map[string]string{
		"/home/ann/study/pipelines.hcl":                "…/pipelines.hcl",
		"open /home/ann/x/text.txt: permission denied": "open …/text.txt: permission denied",
		"-f=/home/ann/x.hcl":                           "-f=…/x.hcl",
		"(/tmp/a/b),/tmp/c/d:/tmp/e/f":                 "(…/b),…/d:…/f",
		"/home/ann/größe/世界.txt and /opt/go/src":       "…/世界.txt and …/src",
		"":                        "",
		"text.txt":                "text.txt",
		".anneal/work/fe06/1/log": ".anneal/work/fe06/1/log",
		"../shared/text.txt":      "../shared/text.txt",
		"https://go.dev/dl/":      "https://go.dev/dl/",
		"tiny/pretrain.base[seed=1]: 3/4 of /7 and/or 1 / 2":      "tiny/pretrain.base[seed=1]: 3/4 of /7 and/or 1 / 2",
		"adamw.weight_decay: 0.1 → 0.2; content of a.b/c changed": "adamw.weight_decay: 0.1 → 0.2; content of a.b/c changed",
	} {
		if got := elsewhere(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if once := elsewhere(text); elsewhere(once) != once { // a bundle of a bundle has equal bytes
			t.Errorf("%q changes again", once)
		}
	}
}
