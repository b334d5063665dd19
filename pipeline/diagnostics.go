package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

// InvalidError reports everything that is wrong with a file, or with the flags that go with it. Nothing ran.
type InvalidError struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.diags))
	for i, d := range e.diags {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Print writes each problem with the lines of the file that it is about.
func (e *InvalidError) Print(w io.Writer, width int, color bool) error {
	return hcl.NewDiagnosticTextWriter(w, e.files, uint(width), color).WriteDiagnostics(e.diags)
}

// Problem is one thing that is wrong with the files or the flags.
type Problem struct {
	File    string `json:"file,omitempty"` // as it was named on the command line, "" where a flag is wrong
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Summary string `json:"summary"`
	Detail  string `json:"detail"`
	Addr    string `json:"addr,omitempty"` // of the first stage it holds for, where it is about some
}

// Problems lists what Print writes.
func (e *InvalidError) Problems() []Problem {
	var all []Problem
	for _, d := range e.diags {
		p := Problem{Summary: d.Summary, Detail: d.Detail}
		if a, ok := d.Extra.(addressed); ok {
			p.Addr, p.Detail = a.addr, a.detail
		}
		if d.Subject != nil {
			p.File, p.Line, p.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		all = append(all, p)
	}
	return all
}

// invalid makes an error of diags: sorted by place, each said once, however many instances of a sweep it holds for.
func invalid(files map[string]*hcl.File, diags hcl.Diagnostics) error {
	if !diags.HasErrors() {
		return nil
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return cmp.Compare(btoi(a.Subject != nil), btoi(b.Subject != nil))
		}
		return cmp.Or(strings.Compare(a.Subject.Filename, b.Subject.Filename), cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte))
	})
	type saying struct {
		subject         hcl.Range
		summary, detail string
	}
	var said hcl.Diagnostics
	times := map[saying]int{}
	of := func(d *hcl.Diagnostic) saying {
		s := saying{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			s.subject = *d.Subject
		}
		return s
	}
	for _, d := range diags {
		if times[of(d)]++; times[of(d)] == 1 {
			said = append(said, d)
		}
	}
	for i, d := range said {
		addr, ok := d.Extra.(stageAddr)
		if !ok {
			continue
		}
		where := string(addr)
		if more := times[of(d)] - 1; more > 0 {
			where += fmt.Sprintf(" and %d more", more)
		}
		whole := *d
		whole.Detail = where + ": " + d.Detail
		whole.Extra = addressed{string(addr), d.Detail}
		said[i] = &whole
	}
	return &InvalidError{said, files}
}

// invalid makes an error of diags, which may quote secrets.
func (c *Config) invalid(diags hcl.Diagnostics) error {
	masked := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		one := *d
		one.Detail = c.secrets.mask(d.Detail)
		masked[i] = &one
	}
	return invalid(c.files, masked)
}

// stageAddr is what a diagnostic about one instance of a block carries: the address that its text is to start with.
type stageAddr string

// addressed is a stageAddr once the text starts with it: the address, and the text without.
type addressed struct{ addr, detail string }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// problem makes a diagnostic about the place at.
func problem(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at}
}

// place prints where a range starts.
func place(r hcl.Range) string {
	return fmt.Sprintf("%s:%d", filepath.Base(r.Filename), r.Start.Line)
}

// problem makes a diagnostic about n and the place at.
func (n *Node) problem(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := problem(at, summary, format, args...)
	d.Extra = stageAddr(n.Addr)
	return d
}

// blame turns an error of a stage into diagnostics about the fields of n that it names, under a summary of what went
// wrong.
func (n *Node) blame(summary string, err error) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, e := range flatten(err) {
		var b blamer
		if errors.As(e, &b) {
			field, text := b.Blame()
			diags = append(diags, n.problem(n.where(field), summary, "%s %s.", field, strings.TrimSuffix(text, ".")))
		} else {
			diags = append(diags, n.problem(n.header, summary, "%s.", strings.TrimSuffix(e.Error(), ".")))
		}
	}
	return diags
}

// sentence says an error in a line: a field that it blames, and what is wrong with it.
func sentence(err error) string {
	var parts []string
	for _, e := range flatten(err) {
		var b blamer
		if errors.As(e, &b) {
			field, text := b.Blame()
			parts = append(parts, field+" "+text)
		} else {
			parts = append(parts, e.Error())
		}
	}
	return strings.Join(parts, "; ")
}

// Nearest returns the candidate that name may have meant, as a sentence to append, "" where none is close.
func Nearest(name string, candidates []string) string {
	// Two letters swapped count twice; what differs in more than that and a quarter of its letters is another word.
	best, distance := "", max(min(len(name), 3), len(name)/4+2)
	for _, c := range candidates {
		if d := levenshtein.Distance(name, c, nil); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %s?", best)
}
