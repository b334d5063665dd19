package report

import (
	"bytes"
	_ "embed"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"

	"anneal/artifacts"
	"anneal/pipeline"
)

//go:embed page.html
var pageText string

//go:embed style.css
var styleText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Title     string
	Style     template.CSS
	Axes      []axisLine
	Trainings *tableView // nil where no table tells of them
	Claims    []claimView
	Figures   []figureView
	Tables    []tableView
	Samples   []samplesView
	Why       string // of all claims' verdicts, where they share it
	Missing   []string
	Diverging bool // some table would tell of a training that diverged
	Made      []made
}

// axisLine is a coordinate and its values.
type axisLine struct{ Name, Values string }

// claimView is a claim with its answer.
type claimView struct {
	Name, Says string
	*answer
	Along string
	Head  []string
	Rows  []claimRow
	Notes string
}

// Many tells whether a claim has more cases than are read at a glance.
func (v claimView) Many() bool { return len(v.Rows) > 8 }

// claimRow is a line of a claim's table.
type claimRow struct {
	Metric, Group string
	Cells         []claimCell
	Reading       string
}

// claimCell is a mean; Spread is the range over units where there are several.
type claimCell struct {
	Text, Spread string
	Best         bool
}

// figureView is a figure, drawn, and its points in numbers.
type figureView struct {
	Number  int // on the page, from 1
	Title   string
	Wide    bool   // more than one panel
	Size    string // of panels: "", small or medium
	Keys    []keyView
	Panels  []template.HTML
	Caption string
	Head    []string
	Spots   []spot
}

// keyView is an entry of a legend.
type keyView struct {
	Swatch template.HTML
	Text   string
}

// tableView is a table, its cells as text.
type tableView struct {
	Name    string
	Head    []headCell
	Rows    []rowView
	Total   int
	Compare string
}

// Long tells whether a table is too long to be printed.
func (v tableView) Long() bool { return v.Total > 40 }

// rowView is a row of a table, and the artifacts it was made of.
type rowView struct {
	Cells []string
	Links []link
}

// headCell is a column's head; numbers are set flush right.
type headCell struct {
	Name    string
	Numeric bool
}

// samplesView is a samples block.
type samplesView struct {
	Title  string
	Before bool
	Cards  []card
}

func escape(s string) string { return html.EscapeString(s) }

// page computes all that is shown, and the frames to be left as files.
func (r *Report) page(in inputs) (*page, []*frame, error) {
	all, order, err := r.build(in)
	if err != nil {
		return nil, nil, err
	}
	p := &page{Title: r.Title, Style: template.CSS(styleText), Axes: axes(order), Trainings: trainings(order), Made: madeOf(in.origins), Missing: lost(in.missing)}
	for _, c := range r.Claims {
		a, err := c.answer(all, r.interval())
		if err != nil {
			return nil, nil, pipeline.Within("claim."+c.Name, err)
		}
		p.Claims = append(p.Claims, viewClaim(c, a))
	}
	p.shareWhy()
	m := material{all, in.origins, r.interval()}
	for i, f := range r.Figures {
		v, err := f.draw(i+1, m)
		if err != nil {
			return nil, nil, pipeline.Within("figure."+f.Name, err)
		}
		p.Figures = append(p.Figures, v)
	}
	for i, f := range order {
		v := f.view(in.origins)
		if i >= len(r.Tables) {
			c := r.Compares[i-len(r.Tables)]
			v.Compare = spaced(c.Metric) + " of table " + c.After + " against table " + c.Before + "; gain is positive where it improves"
		}
		p.Tables = append(p.Tables, v)
		p.Missing = append(p.Missing, f.missing()...)
	}
	p.Missing = slices.Concat(diverged(order), p.Missing)
	p.Diverging = slices.ContainsFunc(order, func(f *frame) bool { return f.column("diverged_at") != nil })
	for i, s := range r.Samples {
		cards, err := s.cards(in.before[i], in.after[i])
		if err != nil {
			return nil, nil, pipeline.Within("samples."+s.Name, err)
		}
		p.Samples = append(p.Samples, samplesView{title(s.Title, s.Name), len(s.Before) > 0, cards})
	}
	return p, order, nil
}

// shareWhy moves what every claim says of its verdict to one place above them.
func (p *page) shareWhy() {
	for _, c := range p.Claims {
		if c.Why != p.Claims[0].Why {
			return
		}
	}
	for i := range p.Claims {
		p.Why, p.Claims[i].Why = p.Claims[i].Why, ""
	}
}

// html renders the page.
func (p *page) html() ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func title(given, name string) string {
	if given != "" {
		return given
	}
	return sentenceCase(spaced(name))
}

// axes lists every coordinate of the frames with its values.
func axes(order []*frame) []axisLine {
	var names []string
	found := map[string][]any{}
	for _, f := range order {
		for i := range f.columns {
			c := &f.columns[i]
			if c.coordinate {
				if _, ok := found[c.name]; !ok {
					names = append(names, c.name)
				}
				found[c.name] = append(found[c.name], c.values...)
			}
		}
	}
	var all []axisLine
	for _, n := range names {
		all = append(all, axisLine{spaced(n), values(&column{name: n, values: found[n]})})
	}
	return all
}

func viewClaim(c Claim, a *answer) claimView {
	v := claimView{Name: c.Name, Says: c.Says, answer: a, Along: spaced(c.Along)}
	for _, x := range a.Axis {
		v.Head = append(v.Head, plain(x))
	}
	for _, l := range a.Lines {
		digits := a.digits(l.Metric)
		row := claimRow{Metric: l.Metric, Group: l.Group, Reading: l.Reading}
		for i, cell := range l.cells {
			out := claimCell{Text: "–"}
			if !math.IsNaN(cell.mean) {
				out.Text = fixed(cell.mean, digits)
				out.Best = l.Best != nil && l.Best[i]
			}
			if len(cell.units) > 1 {
				low, high := cell.units[0].mean, cell.units[0].mean
				for _, u := range cell.units {
					low, high = min(low, u.mean), max(high, u.mean)
				}
				out.Spread = fixed(low, digits) + " to " + fixed(high, digits)
			}
			row.Cells = append(row.Cells, out)
		}
		v.Rows = append(v.Rows, row)
	}
	if len(c.Over) > 0 {
		var over []string
		for _, n := range c.Over {
			over = append(over, spaced(n))
		}
		v.Notes = "Means over " + list(over) + "."
	}
	return v
}

// show draws the panels and the legend.
func (v *figureView) show(f Figure, c *chart, description string) {
	for i, p := range c.panels {
		if i > 0 {
			description = ""
		}
		v.Panels = append(v.Panels, template.HTML(c.svg(p, description)))
	}
	if len(f.With) > 0 || f.Lines != "" || len(c.references) > 0 { // the axis names a metric only where it is alone
		for i, k := range c.keys {
			if k != "" {
				g, line := glyphStyle(i), lineStyle(i)
				if f.Kind == "scatter" {
					line = pathStyle(i)
				}
				v.Keys = append(v.Keys, keyView{template.HTML(swatch(line, &g)), k})
			}
		}
	}
	for i, k := range c.references {
		v.Keys = append(v.Keys, keyView{template.HTML(swatch(referenceStyle(i), nil)), k})
	}
}

// view prints a frame. Numbers of a column share their digits; coordinates stand as they were given.
func (f *frame) view(origins []origin) tableView {
	const most = 200 // rows on the page: more belong into a program that reads the file
	v := tableView{Name: f.name, Total: f.rows}
	rows := min(f.rows, most)
	v.Rows = make([]rowView, rows)
	for i := range v.Rows {
		for _, o := range f.from[i] {
			v.Rows[i].Links = append(v.Rows[i].Links, link{origins[o].id(), origins[o].short()[:min(6, len(origins[o].short()))]})
		}
	}
	for _, c := range f.columns {
		v.Head = append(v.Head, headCell{spaced(c.name), c.numeric()})
		var numbers []float64
		if c.kind == artifacts.Float64 && !c.coordinate {
			for i := range rows {
				if x, ok := c.float(i); ok {
					numbers = append(numbers, x)
				}
			}
		}
		digits := decimals(numbers)
		for i := range rows {
			s := "–"
			switch x := c.values[i].(type) {
			case nil:
			case float64:
				s = plain(x)
				if !c.coordinate {
					s = fixed(x, digits)
				}
			case int64:
				s = strconv.FormatInt(x, 10)
			default:
				s = plain(x)
			}
			v.Rows[i].Cells = append(v.Rows[i].Cells, s)
		}
	}
	return v
}
