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

// invalid makes an error of diags: sorted by place, each said once, without what only follows from an earlier one.
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
	diags = slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Summary == b.Summary && a.Detail == b.Detail && (a.Subject == nil) == (b.Subject == nil) && (a.Subject == nil || *a.Subject == *b.Subject)
	})
	return &InvalidError{diags, files}
}

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

// blame turns an error of a stage into diagnostics about the fields of n that it names, under a summary of what went
// wrong.
func (n *Node) blame(summary string, err error) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, e := range flatten(err) {
		var blamer interface{ Blame() (field, text string) }
		if errors.As(e, &blamer) {
			field, text := blamer.Blame()
			at := n.where(field)
			diags = append(diags, problem(at, summary, "%s: %s %s.", n.Addr, field, strings.TrimSuffix(text, ".")))
		} else {
			diags = append(diags, problem(n.header, summary, "%s: %s.", n.Addr, strings.TrimSuffix(e.Error(), ".")))
		}
	}
	return diags
}

// Nearest returns the candidate that name may have meant, as a sentence to append, "" where none is close.
func Nearest(name string, candidates []string) string {
	best, distance := "", len(name)/3+2
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
