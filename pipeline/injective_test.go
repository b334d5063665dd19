package pipeline

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"anneal/artifacts/store"
)

// every is a stage with a field of every sort.
type every struct {
	Bool    bool      `hcl:"bool,optional"`
	Int     int       `hcl:"int,optional"`
	Long    int64     `hcl:"long,optional"`
	Real    float64   `hcl:"real,optional"`
	Text    string    `hcl:"text,optional"`
	Texts   []string  `hcl:"texts,optional"`
	Reals   []float64 `hcl:"reals,optional"`
	Ints    []int     `hcl:"ints,optional"`
	Source  File      `hcl:"source,optional"`
	Sources []File    `hcl:"sources,optional"`
	From    Ref       `hcl:"from,optional" artifact:"text"`
	Froms   []Ref     `hcl:"froms,optional" artifact:"text"`
	Row     Row       `hcl:"row,optional" artifact:"text"`
	Rows    []Row     `hcl:"rows,optional" artifact:"text"`
	Free    string    `hcl:"free,optional" key:"-"`
	Inner   inner     `hcl:"inner,block"`
	Maybe   *inner    `hcl:"maybe,block"`
	Bare    *inner    `hcl:"bare,block"`
	Many    []inner   `hcl:"many,block"`
	Named   []labeled `hcl:"named,block"`
}

type inner struct {
	Real  float64   `hcl:"real,optional"`
	Texts []string  `hcl:"texts,optional"`
	Free  int       `hcl:"free,optional" key:"-"`
	Deep  *deep     `hcl:"deep,block"`
	Rates []float64 `hcl:"rates,optional"`
}

type deep struct {
	On   bool   `hcl:"on,optional"`
	Rows []Row  `hcl:"rows,optional" artifact:"text"`
	Text string `hcl:"text,optional"`
}

type labeled struct {
	Name string  `hcl:"name,label"`
	Real float64 `hcl:"real,optional"`
	From []Row   `hcl:"from,optional" artifact:"text"`
}

func (labeled) Default() labeled { return labeled{Real: 2} }

func (*every) Outputs() []Output                 { return nil }
func (*every) Run(context.Context, *Task) error  { return nil }
func (*origin) Outputs() []Output                { return []Output{{Name: "out", Type: "text"}} }
func (*origin) Run(context.Context, *Task) error { return nil }

// origin is what every reads.
type origin struct{}

var everyKinds = []*Kind{
	{Name: "origin", Version: 1, New: func() Stage { return &origin{} }},
	{Name: "every", Version: 1, New: func() Stage {
		return &every{Int: 3, Real: 0.5, Text: "a", Texts: []string{"a", "b"}, Reals: []float64{1, 0},
			Inner: inner{Real: 1, Texts: []string{"a"}, Deep: &deep{Text: "x"}}, Maybe: &inner{Rates: []float64{0.1}}}
	}},
}

// Values that the fields take: what has been taken for one another before, or might be.
var (
	someTexts = []string{"", "a", "b", "a b", "a,b", "len 0", "len 1", "present", "true", "0", "1", "\"a\" \"b\"", "a\nb", "null", "a.b"}
	someReals = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 0.1, 1.0 / 3, 0.333333, 1e21, 1e-7, math.MaxFloat64}
	someNames = []string{"a", "b", "0", "1", "len", "a b", "real", "a\\\" \\\"b"}
	someFiles = []string{"one.txt", "same.txt", "two.txt"} // the second is as the first
	someRefs  = []string{`origin.plain.out`, `origin.swept["seed=1"].out`, `origin.swept["seed=2"].out`, `origin.swept["seed=3"].out`}
)

// blockWriter writes random blocks, and beside them what they mean.
type blockWriter struct {
	r    *rand.Rand
	rate float64 // how many of the fields differ from their defaults
	text strings.Builder
	mean strings.Builder
}

func (w *blockWriter) chance(p float64) bool { return w.r.Float64() < p }

func pick[T any](w *blockWriter, from []T) T { return from[w.r.IntN(len(from))] }

// body writes a struct's attributes and blocks; most are left at their defaults, written out or not.
func (w *blockWriter) body(def reflect.Value) {
	for _, f := range fieldsOf(def.Type()) {
		if f.role == label {
			continue
		}
		v := def.FieldByIndex(f.index)
		if f.role == block {
			w.block(f, v)
			continue
		}
		text, meaning := "", ""
		if !w.chance(w.rate) {
			text, meaning = say(v)
			if w.chance(0.8) || text == "" {
				text = ""
				if w.chance(0.1) {
					text = "null"
				}
			}
		} else {
			text, meaning = w.value(v.Type())
		}
		if text != "" {
			fmt.Fprintf(&w.text, "%s%s= %s # %d\n", f.name, strings.Repeat(" ", 1+w.r.IntN(3)), text, w.r.IntN(100))
		}
		if !f.unkeyed {
			fmt.Fprintf(&w.mean, "%q:%q,", f.name, meaning)
		}
	}
}

func (w *blockWriter) block(f field, def reflect.Value) {
	fmt.Fprintf(&w.mean, "%q:{", f.name)
	defer w.mean.WriteString("}")
	write := func(header string, def reflect.Value) {
		w.text.WriteString(header + " {\n")
		w.body(def)
		w.text.WriteString("}\n")
	}
	switch def.Kind() {
	case reflect.Struct:
		if w.chance(0.5) {
			write(f.name, def)
			return
		}
		empty := &blockWriter{r: rand.New(rand.NewPCG(0, 0))}
		empty.defaults(def)
		w.mean.WriteString(empty.mean.String())
	case reflect.Pointer:
		if !w.chance(0.1 + w.rate) {
			return
		}
		w.mean.WriteString("there:")
		if def.IsNil() {
			def = reflect.New(def.Type().Elem())
		}
		write(f.name, def.Elem())
	case reflect.Slice:
		e := reflect.New(def.Type().Elem()).Elem()
		if m := e.MethodByName("Default"); m.IsValid() {
			e = m.Call(nil)[0]
		}
		taken := map[string]bool{}
		n := 0
		if w.chance(0.1 + w.rate) {
			n = w.r.IntN(3)
		}
		for range n {
			header := f.name
			if e.Type() == reflect.TypeFor[labeled]() {
				name := pick(w, someNames)
				if taken[name] {
					continue
				}
				taken[name] = true
				header += ` "` + name + `"`
				fmt.Fprintf(&w.mean, "%q", name)
			}
			w.mean.WriteString("{")
			write(header, e)
			w.mean.WriteString("}")
		}
	}
}

// defaults writes what a block that is left out means.
func (w *blockWriter) defaults(def reflect.Value) {
	for _, f := range fieldsOf(def.Type()) {
		v := def.FieldByIndex(f.index)
		switch {
		case f.role == block && v.Kind() == reflect.Struct:
			fmt.Fprintf(&w.mean, "%q:{", f.name)
			w.defaults(v)
			w.mean.WriteString("}")
		case f.role == block:
			fmt.Fprintf(&w.mean, "%q:{}", f.name)
		case f.role == attribute && !f.unkeyed:
			_, meaning := say(v)
			fmt.Fprintf(&w.mean, "%q:%q,", f.name, meaning)
		}
	}
}

// value writes a random value of a type.
func (w *blockWriter) value(t reflect.Type) (text, meaning string) {
	switch t {
	case fileField:
		name := pick(w, someFiles)
		return strconv.Quote(name), strings.Replace(name, "same", "one", 1)
	case refField, rowField:
		ref := pick(w, someRefs)
		meaning = ref
		if i := strings.Index(ref, "seed=3"); i >= 0 && t == refField {
			meaning = `origin.swept["seed=2"].out` // whose bytes are equal
		}
		return ref, meaning
	}
	if t.Kind() == reflect.Slice {
		var texts, meanings []string
		for range w.r.IntN(3) {
			text, meaning := w.value(t.Elem())
			texts, meanings = append(texts, text), append(meanings, strconv.Quote(meaning))
		}
		return "[" + strings.Join(texts, ", ") + "]", strings.Join(meanings, ",")
	}
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(w.chance(0.5))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(w.r.IntN(4)) - 1)
	case reflect.Float64:
		v.SetFloat(pick(w, someReals))
	case reflect.String:
		v.SetString(pick(w, someTexts))
	}
	return say(v)
}

// say writes a value; "" stands for one that cannot be written, an artifact or a source that is not there.
func say(v reflect.Value) (text, meaning string) {
	switch v.Kind() {
	case reflect.Slice:
		var texts, meanings []string
		for i := range v.Len() {
			text, meaning := say(v.Index(i))
			texts, meanings = append(texts, text), append(meanings, strconv.Quote(meaning))
		}
		return "[" + strings.Join(texts, ", ") + "]", strings.Join(meanings, ",")
	case reflect.String:
		return strconv.Quote(v.String()), v.String()
	case reflect.Float64:
		text := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if v.Float() == 0 {
			return text, "0" // −0 too
		}
		return text, text
	case reflect.Struct:
		return "", ""
	}
	return fmt.Sprint(v), fmt.Sprint(v)
}

// keyForTest returns the key of n, were the bytes of its inputs those of the nodes' addresses; those of seed 3 are as those of
// seed 2.
func (n *Node) keyForTest() store.Digest {
	facts := n.facts
	for _, in := range n.inputs {
		text := strings.Replace(in.ref.String(), "seed=3", "seed=2", 1)
		facts = append(facts, inputFact(in, store.Blob{Type: "text", Digest: store.Key([]store.Fact{{Name: text}})}))
	}
	return store.Key(facts)
}

// decodeEvery decodes blocks beside the files and the nodes that they may read.
func decodeEvery(t *testing.T, blocks string) *Graph {
	t.Helper()
	dir := t.TempDir()
	const origins = "origin \"plain\" {}\norigin \"swept\" {\nfor_each = grid({ seed = [1, 2, 3] })\n}\n"
	for name, text := range map[string]string{
		"one.txt": "one", "same.txt": "one", "two.txt": "two", "pipelines.hcl": "pipeline \"p\" {\n" + origins + blocks + "\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(dir, "pipelines.hcl"), LoadOptions{Kinds: everyKinds})
	if err != nil {
		t.Fatal(err)
	}
	graphs, err := c.Graphs([]string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	return graphs[0]
}

// TestKeysAreInjective: two blocks have one key exactly where they mean the same, over random blocks with every sort of
// field, whatever of them is written out, left out, null, or formatted.
func TestKeysAreInjective(t *testing.T) {
	const blocks = 2500
	r := rand.New(rand.NewPCG(1, 2))
	var file strings.Builder
	meanings := map[string]string{}
	texts := map[string]string{}
	for i := range blocks {
		w := &blockWriter{r: r, rate: []float64{0.01, 0.04, 0.3}[i%3]}
		w.body(structOf(everyKinds[1].New()))
		fmt.Fprintf(&file, "every \"e%d\" {\n%s}\n", i, w.text.String())
		addr := fmt.Sprintf("every.e%d", i)
		meanings[addr], texts[addr] = w.mean.String(), w.text.String()
	}
	g := decodeEvery(t, file.String())
	byKey, byMeaning := map[store.Digest]string{}, map[string]string{}
	equal := 0
	for _, n := range g.Nodes {
		if n.Kind.Name != "every" {
			continue
		}
		key, meaning := n.keyForTest(), meanings[n.Addr]
		if other, ok := byKey[key]; ok {
			equal++
			if meanings[other] != meaning {
				t.Fatalf("two blocks have one key and mean other things:\n%s\n%s\n\n%s\n%s", texts[other], meanings[other], texts[n.Addr], meaning)
			}
		}
		if other, ok := byMeaning[meaning]; ok && g.Node(other).keyForTest() != key {
			t.Fatalf("two blocks mean the same and have other keys:\n%s\n%v\n\n%s\n%v", texts[other], g.Node(other).facts, texts[n.Addr], n.facts)
		}
		byKey[key], byMeaning[meaning] = n.Addr, n.Addr
	}
	if equal < 500 || len(byKey) < 500 {
		t.Errorf("%d keys, %d blocks equal to one before: too few to tell", len(byKey), equal)
	}
}

// TestKeysTellApart: pairs of blocks that an encoding could take for one another, and pairs that mean the same.
func TestKeysTellApart(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"a name with a space":      {`named "a b" {}`, "named \"a\" {}\nnamed \"b\" {}", false},
		"a name with quotes":       {`named "a\" \"b" {}`, "named \"a\" {}\nnamed \"b\" {}", false},
		"order of named blocks":    {"named \"a\" {}\nnamed \"b\" {}", "named \"b\" {}\nnamed \"a\" {}", false},
		"one more block":           {"many {}", "many {}\nmany {}", false},
		"values of another block":  {"many {\nreal = 1\n}\nmany {}", "many {}\nmany {\nreal = 1\n}", false},
		"a list's ends":            {`texts = ["a,b"]`, `texts = ["a", "b,"]`, false},
		"a line break":             {`texts = ["a\nb"]`, `texts = ["a", "b"]`, false},
		"an empty element":         {`texts = [""]`, "texts = []", false},
		"a value as another's":     {`text = "x"`, `texts = ["x"]`, false},
		"order of artifacts":       {"froms = [origin.plain.out, origin.swept[\"seed=1\"].out]", "froms = [origin.swept[\"seed=1\"].out, origin.plain.out]", false},
		"an artifact as a row":     {"from = origin.plain.out", "row = origin.plain.out", false},
		"order of files":           {`sources = ["one.txt", "two.txt"]`, `sources = ["two.txt", "one.txt"]`, false},
		"a file as a list":         {`source = "one.txt"`, `sources = ["one.txt"]`, false},
		"a file under other names": {`source = "one.txt"`, `source = "same.txt"`, true},
		"an artifact's other name": {`from = origin.swept["seed=2"].out`, `from = origin.swept["seed=3"].out`, true},
		"another row":              {`row = origin.swept["seed=2"].out`, `row = origin.swept["seed=3"].out`, false},
		"an empty list":            {"", "ints = []\nfroms = []\nrows = []\nsources = []", true},
		"an empty list otherwise":  {"", "texts = []", false},
		"minus zero":               {"reals = [0]", "reals = [-0]", true},
		"outside":                  {"", "free = \"b\"", true},
		"outside, in a block":      {"many {}", "many {\nfree = 3\n}", true},
		"outside, in an optional":  {"maybe {}", "maybe {\nfree = 3\n}", true},
		"an optional block's own":  {"maybe {}", "maybe {\nrates = [0.1]\n}", true},
		"absent and empty":         {"", "maybe {}", false},
		"absent, but always there": {"", "inner {}", true},
		"an optional one in it":    {"inner {}", "inner {\ndeep {}\n}", false},
		"default of a named block": {`named "a" {}`, "named \"a\" {\nreal = 2\n}", true},
	} {
		g := decodeEvery(t, "every \"a\" {\n"+c.a+"\n}\nevery \"b\" {\n"+c.b+"\n}")
		if a, b := g.Node("every.a"), g.Node("every.b"); (a.keyForTest() == b.keyForTest()) != c.same {
			t.Errorf("%s: one key is %v\n%v\n%v", name, !c.same, a.facts, b.facts)
		}
	}
}
