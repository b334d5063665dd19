package pipeline

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// secret marks a value that came from the environment variable named, and whatever is computed from it. HCL carries
// marks along; a field that enters a key refuses them.
type secret string

// secretsIn lists the environment variables from which v, or a part of it, was computed.
func secretsIn(v cty.Value) []string {
	if !v.ContainsMarked() {
		return nil
	}
	_, marks := v.UnmarkDeep()
	var names []string
	for m := range marks {
		if s, ok := m.(secret); ok {
			names = append(names, string(s))
		}
	}
	slices.Sort(names)
	return names
}

// reveal returns v without marks, for a field that stays out of keys, and the variables it was computed from.
func reveal(v cty.Value) (cty.Value, []string) {
	names := secretsIn(v)
	v, _ = v.UnmarkDeep()
	return v, names
}

// envCalls names the variables as a file reads them: env("HF_TOKEN") and env("USER").
func envCalls(names []string) string {
	calls := make([]string, len(names))
	for i, n := range names {
		calls[i] = fmt.Sprintf("env(%q)", n)
	}
	return strings.Join(calls, " and ")
}

// carryMarks makes every index in a body hand on the marks of its key, which HCL drops where it chooses from an object:
// what is chosen tells of the key.
func (s *secrets) carryMarks(body *hclsyntax.Body) {
	hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		if e, ok := n.(*hclsyntax.IndexExpr); ok {
			e.Collection = &indexed{&hclsyntax.ParenthesesExpr{Expression: e.Collection, SrcRange: e.Collection.Range()}, e.Key, callsEnv(e.Key), s}
		}
		return nil
	})
}

// indexed is a collection that has the marks of the key it is read under. It is a pair of parentheses, as a branch is.
type indexed struct {
	*hclsyntax.ParenthesesExpr
	key     hclsyntax.Expression
	env     bool // the key calls env itself
	secrets *secrets
}

func (x *indexed) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := x.Expression.Value(ctx)
	if !x.env && !x.secrets.called.Load() { // nothing has marks yet, and evaluating a key twice takes time
		return v, diags
	}
	key, _ := x.key.Value(ctx) // what is wrong with it, the index reports
	return v.WithSameMarks(key), diags
}

// callsEnv tells whether a call of env stands in an expression.
func callsEnv(e hclsyntax.Expression) (calls bool) {
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		calls = calls || ok && call.Name == "env"
		return nil
	})
	return calls
}

// attempt is can or try, whose result tells of the secrets in what was tried, for whether it fails may depend on them.
func attempt(f function.Function, description string) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      f.Params(),
		VarParam:    f.VarParam(),
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err != nil {
				return cty.DynamicVal, err
			}
			for _, a := range args {
				tried := customdecode.ExpressionClosureFromVal(a)
				for _, name := range secretsOf(tried.Expression, tried.EvalContext) {
					v = v.Mark(secret(name))
				}
			}
			return v, nil
		},
	})
}

// secrets remembers what env has read, so that texts for people and journals can be told without it: errors of functions
// and of the world quote what they were given.
type secrets struct {
	environ []string // NAME=value
	called  atomic.Bool

	mu   sync.Mutex
	read map[string]string // by value, the variable
}

// shortestSecret is the least length in bytes of a value that is masked. What is shorter stands in texts by chance, and
// guards nothing.
const shortestSecret = 4

// function is env: the value of an environment variable, marked; null where it is not set.
func (s *secrets) function() function.Function {
	return function.New(&function.Spec{
		Description: "The value of an environment variable, null where it is not set. It is a secret: it may stand where no key, artifact or journal takes it in, such as in the settings of an executor, and nowhere else.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s.called.Store(true)
			name := args[0].AsString()
			// The last of several, as the C library and the shell have it.
			for _, e := range slices.Backward(s.environ) {
				if value, ok := strings.CutPrefix(e, name+"="); ok && name != "" {
					v := cty.StringVal(value)
					s.note(name, value)
					s.note(name, v.AsString()) // normalised
					return v.Mark(secret(name)), nil
				}
			}
			return cty.NullVal(cty.String).Mark(secret(name)), nil
		},
	})
}

// note remembers each line of value, as it is and as an error quotes it.
func (s *secrets) note(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read == nil {
		s.read = map[string]string{}
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) < shortestSecret {
			continue
		}
		quoted := strconv.Quote(line)
		s.read[line] = name
		s.read[quoted[1:len(quoted)-1]] = name
	}
}

// mask returns text with every secret replaced by the name of its variable.
func (s *secrets) mask(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := sortedKeys(s.read)
	slices.SortStableFunc(values, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	for _, v := range values {
		text = strings.ReplaceAll(text, v, "(secret "+s.read[v]+")")
	}
	return text
}

// writer returns w if there are no secrets, else one that masks them, line by line: flush writes what has no end of line
// yet.
func (s *secrets) writer(w io.Writer) (masked io.Writer, flush func() error) {
	s.mu.Lock()
	none := len(s.read) == 0
	s.mu.Unlock()
	if none {
		return w, func() error { return nil }
	}
	m := &maskedWriter{secrets: s, to: w}
	return m, m.flush
}

type maskedWriter struct {
	secrets *secrets
	to      io.Writer
	mu      sync.Mutex
	line    []byte
}

func (m *maskedWriter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.line = append(m.line, p...)
	end := strings.LastIndexByte(string(m.line), '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	whole := m.secrets.mask(string(m.line[:end]))
	m.line = append(m.line[:0], m.line[end:]...)
	_, err := io.WriteString(m.to, whole)
	return len(p), err
}

func (m *maskedWriter) flush() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.secrets.mask(string(m.line))
	m.line = nil
	_, err := io.WriteString(m.to, rest)
	return err
}
