package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func render(t *testing.T, s study) string {
	t.Helper()
	r, in := s.report(t)
	p, _, err := r.page(in)
	if err != nil {
		t.Fatal(err)
	}
	html, err := p.html()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "report.html"), html, 0o666); err != nil { // to look at: go test -artifacts
		t.Fatal(err)
	}
	return string(html)
}

func TestPage(t *testing.T) {
	page := render(t, small)
	order := []string{"<h1>", `id="claims"`, `href="#claim-C1"`, `id="figures"`, "<svg", `id="claim-C1"`, `id="claim-C6"`, `id="configuration"`, `id="samples"`, `id="missing"`, `id="tables"`,
		`id="points"`, `id="origins"`, "c0ffee"}
	from := 0
	for _, s := range order {
		i := strings.Index(page[from:], s)
		if i < 0 {
			t.Fatalf("%q is missing or stands too early", s)
		}
		from += i
	}
	for what, s := range map[string]string{
		"a request":              "http",
		"a script":               "<script",
		"a URL":                  "url(",
		"a value not a number":   "NaN",
		"an infinity":            "Inf",
		"a colour of no role":    "#01",
		"a font of the drawing":  "font-variant:",
		"an unescaped angle":     "<b> a",
		"a template's complaint": "ZgotmplZ",
	} {
		if i := strings.Index(page, s); i >= 0 {
			t.Errorf("the page holds %s: %q", what, page[max(0, i-40):min(len(page), i+40)])
		}
	}
	if n := strings.Count(page, ">underpowered<"); n != 12 {
		t.Errorf("%d of 12 verdicts, two for each claim, are underpowered with one seed", n)
	}
}

func TestPageOfSeeds(t *testing.T) {
	several := small
	several.seeds = []int64{1, 2, 3}
	page := render(t, several)
	for _, s := range []string{"holds: rises by", "Lines join means over seeds; small dots", " to 0.9"} {
		if !strings.Contains(page, s) {
			t.Errorf("%q is missing", s)
		}
	}
}

// Only tables that would tell of a training that diverged let the page say that none did.
func TestNoneDiverged(t *testing.T) {
	for told, want := range map[bool]string{false: "combination of its coordinates.</p>", true: "no training in them diverged.</p>"} {
		html, err := (&page{Diverging: told}).html()
		if err != nil || !strings.Contains(string(html), want) {
			t.Errorf("%v: %q is missing, %v", told, want, err)
		}
	}
	if page := render(t, small); strings.Contains(page, "diverged.</p>") {
		t.Error("tables that know no divergence tell that there was none")
	}
}

func TestEqualRowsMakeEqualPages(t *testing.T) {
	if a, b := render(t, small), render(t, small); !bytes.Equal([]byte(a), []byte(b)) {
		t.Error("two renderings differ")
	}
}

// Room below a share of 0 has no label: there is no share of -0.005.
func TestTicksBelowZero(t *testing.T) {
	for _, c := range []struct {
		ys    []float64
		below bool
	}{{[]float64{0, 0}, false}, {[]float64{0, 0.9}, false}, {[]float64{-0.5, 0.9}, true}} {
		ch := chart{panels: []panel{{lines: []curve{{points: []point{{x: 0, y: c.ys[0]}, {x: 1, y: c.ys[1]}}}}}}}
		ch.bounds()
		if below := ch.ticks[0].Value < 0; below != c.below || !(ch.low < c.ys[0]) || !(ch.high > c.ys[1]) || c.ys[0] == 0 && ch.low < -0.1*ch.high {
			t.Errorf("%v: from %g to %g, first tick %v", c.ys, ch.low, ch.high, ch.ticks[0])
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{1.5, 3, "1.500"}, {-0.25, 1, "−0.2"}, {2.5, 0, "2"}, {0, 3, "0.000"}, {math.Copysign(0, -1), 3, "0.000"},
		{0.0001, 3, "0.0001"}, {-0.0001, 3, "−0.0001"}, {3e-7, 3, "3e-07"}, {0.3, 0, "0.3"}, // not 0
	} {
		if got := fixed(c.v, c.digits); got != c.want {
			t.Errorf("%g with %d digits is %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}

// A metric whose companion was not measured is still named.
func TestKeyOfOneMetric(t *testing.T) {
	f := worths(t, []float64{0, 1}, []int64{1}, func(float64, int64) worth { return worth{Loss: 2} })
	figure := Figure{Kind: "line", Name: "f", Table: "w", X: "weight_decay", Y: "loss", With: []string{"accuracy"}, Scale: "auto"}
	v, err := figure.draw(1, material{f, []origin{{}}, standardInterval()})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Keys) != 1 || v.Keys[0].Text != "loss" {
		t.Errorf("keys %+v", v.Keys)
	}
}
