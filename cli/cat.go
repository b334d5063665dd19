package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// head is how cat shows artifacts.
type head struct {
	*command
	rows int64 // of each table or list
	all  bool
	cut  int // characters of a text
}

func (c *command) cat() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cat ADDR[.OUTPUT]|DIGEST",
		Short: "Show the head of an artifact: rows, decoded tokens, tensors",
		Example: `  anneal cat probe.scores                       # a whole sweep: one table, coordinates first
  anneal cat 'pretrain.base[seed=1].metrics' -n 20`,
		Args: cobra.ExactArgs(1),
	}
	rows := cmd.Flags().Int64P("rows", "n", 10, "show `N` rows")
	all := cmd.Flags().Bool("all", false, "show all rows, and texts whole")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *rows < 1 {
			return usagef("--rows must be at least 1, is %d", *rows)
		}
		named, err := c.artifacts(args[0])
		if err != nil {
			return err
		}
		h := &head{c, *rows, *all, 40}
		if *all {
			h.rows, h.cut = math.MaxInt64, math.MaxInt
		}
		return h.show(named)
	}
	return cmd
}

// artifact is a stored output that an argument names.
type artifact struct {
	name  string // address and output, or the digest where no address is known
	point pipeline.Point
	blob  store.Blob
}

// stored returns what results does, to be read: of several that left equal bytes, which a digest names, the first.
func (c *command) stored(arg string) ([]*named, error) {
	all, err := c.results(arg)
	if hexadecimal.MatchString(arg) && len(all) > 1 {
		all = all[:1]
	}
	return all, err
}

// axes lists the coordinates that points have, those that only some of them have too, as of a union: columns without
// values, by their names.
func axes(points []pipeline.Point) []artifacts.Column {
	var all []artifacts.Column
	in := map[string]int{}
	for _, p := range points {
		for _, c := range p {
			if in[c.Name]++; in[c.Name] == 1 {
				all = append(all, artifacts.Column{Name: c.Name, Type: artifacts.TypeOf(c.Value)})
			}
		}
	}
	for i := range all {
		all[i].Optional = in[all[i].Name] < len(points)
	}
	slices.SortFunc(all, func(a, b artifacts.Column) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// join puts the coordinates of a point before the columns of a table; null is one that the point has not.
func join(t *artifacts.Table, axes []artifacts.Column, point pipeline.Point) error {
	for _, axis := range slices.Backward(axes) {
		value := point.Get(axis.Name)
		if t.Column(axis.Name) != nil {
			axis.Name += "_of_sweep" // the stage has a column of that name too
		}
		if value == nil {
			axis.Values = make([]any, t.Rows())
			t.Columns = slices.Insert(t.Columns, 0, axis)
		} else if err := t.Prepend(axis.Name, value); err != nil {
			return err
		}
	}
	return nil
}

// artifacts returns the stored outputs that arg names, all of one name.
func (c *command) artifacts(arg string) ([]artifact, error) {
	st := c.store()
	named, err := c.stored(arg)
	if err != nil {
		return nil, err
	}
	var all []artifact
	for _, n := range named {
		if err := n.need(st); err != nil {
			return nil, err
		}
		if n.log {
			all = append(all, artifact{n.title(), n.point, *n.result.Made.Log})
			continue
		}
		outputs := sortedNames(n.result.Outputs)
		switch {
		case n.output == "" && len(outputs) == 1:
			n.output = outputs[0]
		case n.output == "":
			return nil, usagef("%s leaves %s: write %s.%s, say", n.title(), strings.Join(outputs, ", "), arg, outputs[0])
		}
		b := n.result.Outputs[n.output]
		if st.Dropped(b) {
			return nil, fmt.Errorf("%s.%s was dropped; a run that needs it makes it again", n.title(), n.output)
		}
		all = append(all, artifact{n.title() + "." + n.output, n.point, b})
	}
	return all, nil
}

// show prints artifacts of one type: flat tables as one, others one by one.
func (h *head) show(all []artifact) error {
	st := h.store()
	dir, err := os.MkdirTemp(st.Dir(), "cat-")
	if err != nil { // a store that is only to be read
		dir, err = os.MkdirTemp("", "anneal-cat-")
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	paths := make([]string, len(all))
	for i, a := range all {
		paths[i] = filepath.Join(dir, fmt.Sprint(i))
		if err := stage(st, a.blob, paths[i]); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if flat(all[0].blob, paths[0]) && (h.json || !slices.Contains([]string{"text", "examples", "passages"}, all[0].blob.Type)) {
		return h.table(all, paths)
	}
	for i, a := range all {
		if !h.json {
			if i > 0 {
				fmt.Fprintln(h.stdout)
			}
			tint := palette(h.color(h.stdout))
			fmt.Fprintf(h.stdout, "%s%s%s: %s, %s\n", tint.bold, a.name, tint.reset, a.blob.Type, bytes(a.blob.Size))
		}
		if err := h.one(a, paths[i]); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

// flat tells whether an artifact is one table of plain columns.
func flat(b store.Blob, path string) bool {
	if b.Tree {
		return false
	}
	_, _, err := artifacts.ReadHead(path, 0)
	return err == nil
}

// one prints an artifact that is no flat table, or a text.
func (h *head) one(a artifact, path string) error {
	switch a.blob.Type {
	case "text":
		return h.text(path)
	case "examples":
		return h.examples(path)
	case "passages":
		return h.passages(path)
	case "tokens":
		return h.tokens(path)
	case "vocabulary":
		return h.vocabulary(path)
	case "weights":
		return h.weights(a.name, path)
	}
	if a.blob.Tree {
		return h.files(path)
	}
	return h.plain(path)
}

// table prints the rows of tables as one table with the coordinates of their points; of several, the first rows of each.
func (h *head) table(all []artifact, paths []string) error {
	each := max(1, h.rows/int64(len(all)))
	points := make([]pipeline.Point, len(all))
	for i, a := range all {
		points[i] = a.point
	}
	columns := axes(points)
	whole := new(artifacts.Table)
	var rows int64
	for i, a := range all {
		t, n, err := artifacts.ReadHead(paths[i], each)
		if err != nil {
			return err
		}
		rows += n
		if err := errors.Join(join(t, columns, a.point), whole.Append(t)); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if h.json {
		return h.rowsJSON(whole)
	}
	c := cells(whole, h.cut)
	c.tint = palette(h.color(h.stdout))
	if terminal(h.stdout) != nil && !h.all {
		c.width = h.width()
	}
	c.print(h.stdout)
	of := ""
	if len(all) > 1 {
		of = fmt.Sprintf(" of %d points", len(all))
	}
	if shown := int64(whole.Rows()); shown < rows {
		fmt.Fprintf(h.stdout, "%s%d of %d rows%s; --all shows all%s\n", c.tint.dim, shown, rows, of, c.tint.reset)
	} else {
		fmt.Fprintf(h.stdout, "%s%s%s%s\n", c.tint.dim, count(int(rows), "row"), of, c.tint.reset)
	}
	return nil
}

// rowsJSON prints rows as objects, names in the order of columns.
func (h *head) rowsJSON(t *artifacts.Table) error {
	for i := range t.Rows() {
		var line strings.Builder
		for k, c := range t.Columns {
			sep := ","
			if k == 0 {
				sep = "{"
			}
			v := c.Values[i]
			if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
				v = nil // JSON has no such number
			}
			name, err := plainJSON(c.Name)
			if err != nil {
				return err
			}
			value, err := plainJSON(v)
			if err != nil {
				return err
			}
			fmt.Fprintf(&line, "%s%s:%s", sep, name, value)
		}
		if _, err := fmt.Fprintln(h.stdout, line.String()+"}"); err != nil {
			return err
		}
	}
	return nil
}

// plainJSON encodes a value without escaping what HTML would want escaped.
func plainJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// texts is how many characters of a longer text are shown.
const texts = 400

func (h *head) excerpt(s string) string {
	if cut := shorten(s, texts); !h.all {
		s = cut
	}
	return strings.TrimRight(harmless(s), "\n")
}

func (h *head) more(shown, all int, thing string) {
	if shown < all {
		fmt.Fprintf(h.stdout, "… and %s; --all shows all\n", count(all-shown, "more "+thing))
	}
}

func (h *head) text(path string) error {
	blocks, err := artifacts.ReadText(path)
	if err != nil {
		return err
	}
	type document struct{ source, document int64 }
	documents := map[document]bool{}
	characters := 0
	for _, b := range blocks {
		documents[document{b.Source, b.Document}] = true
		characters += utf8.RuneCountInString(b.Text)
	}
	fmt.Fprintf(h.stdout, "%s of %s, %d characters\n", count(len(blocks), "block"), count(len(documents), "document"), characters)
	shown := min(int64(len(blocks)), max(1, h.rows/5)) // a block is as long as several rows of a table
	if h.all {
		shown = int64(len(blocks))
	}
	for _, b := range blocks[:shown] {
		fmt.Fprintf(h.stdout, "\n— source %d, document %d, from byte %d\n%s\n", b.Source, b.Document, b.Offset, h.excerpt(b.Text))
	}
	fmt.Fprintln(h.stdout)
	h.more(int(shown), len(blocks), "block")
	return nil
}

func (h *head) examples(path string) error {
	examples, err := artifacts.ReadExamples(path)
	if err != nil {
		return err
	}
	shown := min(int64(len(examples)), h.rows)
	for i, e := range examples[:shown] {
		label := ""
		if e.Label != nil {
			label = fmt.Sprintf(", label %d", *e.Label)
		}
		fmt.Fprintf(h.stdout, "\n— example %d%s\nprompt    %s\nresponse  %s\n", i, label, h.indented(e.Prompt), h.indented(e.Response))
		if artifacts.ExtractAnswer(artifacts.ExtractAll, e.Response, e.Stop) != e.Answer {
			fmt.Fprintf(h.stdout, "answer    %s\n", h.indented(e.Answer))
		}
	}
	fmt.Fprintln(h.stdout)
	h.more(int(shown), len(examples), "example")
	return nil
}

// indented puts the further lines of a text under its first, beside a name of eight letters.
func (h *head) indented(s string) string {
	return strings.ReplaceAll(h.excerpt(s), "\n", "\n          ")
}

func (h *head) passages(path string) error {
	passages, err := artifacts.ReadPassages(path)
	if err != nil {
		return err
	}
	t := &columns{head: [][]string{{"split", "label", "text"}}, right: []bool{false, true, false}}
	counts := map[string]int{}
	for i, p := range passages {
		counts[p.Split]++
		if int64(i) < h.rows {
			t.rows = append(t.rows, []string{p.Split, fmt.Sprint(p.Label), shorten(oneLine(p.Text), max(h.cut, 72))})
		}
	}
	fmt.Fprintln(h.stdout, tally(counts[artifacts.SplitTrain], "to train", counts[artifacts.SplitValidation], "to validate", counts[artifacts.SplitTest], "to test"))
	t.print(h.stdout)
	h.more(len(t.rows), len(passages), "passage")
	return nil
}

// tokensShown is how many tokens of a stream are decoded.
const tokensShown = 300

func (h *head) tokens(dir string) error {
	t, err := artifacts.OpenTokens(dir)
	if err != nil {
		return err
	}
	defer t.Close()
	spelled := artifacts.Spell(t.Vocabulary)
	at := func(i int) uint32 {
		if small := t.Uint16(); small != nil {
			return uint32(small[i])
		}
		return t.Uint32()[i]
	}
	shown := min(t.Len(), tokensShown)
	if h.all {
		shown = t.Len()
	}
	if h.json {
		for i := range shown {
			if err := h.line(struct {
				Position int    `json:"position"`
				ID       uint32 `json:"id"`
				Token    string `json:"token"`
			}{i, at(i), quoted(spelled[at(i)])}); err != nil {
				return err
			}
		}
		return nil
	}
	counts := make([]int, len(spelled))
	size := 0
	for i := range t.Len() {
		counts[at(i)]++
		size += len(spelled[at(i)])
	}
	ids := make([]int, 0, len(counts))
	for id, n := range counts {
		if n > 0 {
			ids = append(ids, id)
		}
	}
	fmt.Fprintf(h.stdout, "%d tokens of %d ids, of which %d occur; %s a token\n", t.Len(), len(spelled), len(ids),
		strings.TrimSuffix(fmt.Sprintf("%.2f bytes", float64(size)/float64(max(1, t.Len()))), ".00 bytes"))
	slices.SortStableFunc(ids, func(a, b int) int { return counts[b] - counts[a] })
	var often []string
	for _, id := range ids[:min(len(ids), 8)] {
		often = append(often, fmt.Sprintf("%s %d", quoted(spelled[id]), counts[id]))
	}
	fmt.Fprintf(h.stdout, "most often: %s\n\n", strings.Join(often, "  "))
	var text strings.Builder
	for i := range shown {
		text.Write(spelled[at(i)])
	}
	fmt.Fprintln(h.stdout, strings.TrimRight(harmless(strings.ToValidUTF8(text.String(), "�")), "\n"))
	if shown < t.Len() {
		fmt.Fprintf(h.stdout, "\n… these are the first %d tokens; --all decodes all\n", shown)
	}
	return nil
}

// quoted prints the bytes of a token.
func quoted(b []byte) string { return fmt.Sprintf("%q", b) }

func (h *head) vocabulary(path string) error {
	merges, err := artifacts.ReadVocabulary(path)
	if err != nil {
		return err
	}
	spelled := artifacts.Spell(merges)
	first := len(spelled) - len(merges)
	shown := int(min(int64(len(merges)), h.rows))
	if h.json {
		for i, m := range merges[:shown] {
			if err := h.line(struct {
				ID    int    `json:"id"`
				Token string `json:"token"`
				Left  uint32 `json:"left"`
				Right uint32 `json:"right"`
			}{first + i, quoted(spelled[first+i]), m.Left, m.Right}); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(h.stdout, "%d tokens: the %d bytes and %s\n", len(spelled), first, count(len(merges), "merge"))
	if len(merges) == 0 {
		return nil
	}
	t := &columns{head: [][]string{{"id", "token", "left", "right"}}, right: []bool{true, false, false, false}}
	for i, m := range merges[:shown] {
		t.rows = append(t.rows, []string{fmt.Sprint(first + i), quoted(spelled[first+i]), quoted(spelled[m.Left]), quoted(spelled[m.Right])})
	}
	t.print(h.stdout)
	h.more(shown, len(merges), "merge")
	return nil
}

// tensor is a parameter as cat shows it.
type tensor struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Norm  float64 `json:"norm"` // Euclidean
}

func (h *head) weights(name, dir string) error {
	w, err := artifacts.OpenWeights(dir)
	if err != nil {
		return err
	}
	parameters, err := w.Parameters(w.Last())
	if err != nil {
		return err
	}
	defer parameters.Close()
	var tensors []tensor
	values := 0
	for _, p := range parameters.List {
		sum := 0.0
		for _, v := range p.Values {
			sum += float64(v) * float64(v)
		}
		values += len(p.Values)
		tensors = append(tensors, tensor{p.Name, p.Shape, math.Sqrt(sum)})
	}
	if h.json {
		type save struct {
			Step           int64    `json:"step"`
			Tokens         int64    `json:"tokens"`
			TrainLoss      *float64 `json:"train_loss"`
			ValidationLoss *float64 `json:"validation_loss"`
		}
		line := struct {
			Artifact   string          `json:"artifact"`
			Model      artifacts.Model `json:"model"`
			Parameters int             `json:"parameters"`
			Saves      []save          `json:"saves"`
			Tensors    []tensor        `json:"tensors"` // of the last save point
		}{name, w.Model, values, nil, tensors}
		for _, s := range w.Saves {
			line.Saves = append(line.Saves, save{s.Step, s.Tokens, s.TrainLoss, s.ValidationLoss})
		}
		return h.line(line)
	}
	fmt.Fprintf(h.stdout, "%d parameters in %s; %d token ids, context %d\n", values, count(len(tensors), "tensor"), w.VocabularySize, w.Context)
	shape, err := plainJSON(w.Shape)
	if err != nil {
		return err
	}
	fmt.Fprintf(h.stdout, "%s\n\n", strings.NewReplacer("{", "", "}", "", `"`, "", ":", " ", ",", ", ").Replace(shape))
	saves := &columns{head: [][]string{{"save point at step", "tokens", "train_loss", "validation_loss"}}, right: []bool{true, true, true, true}}
	for _, s := range w.Saves {
		saves.rows = append(saves.rows, []string{fmt.Sprint(s.Step), fmt.Sprint(s.Tokens), maybeNumber(s.TrainLoss), maybeNumber(s.ValidationLoss)})
	}
	saves.print(h.stdout)
	fmt.Fprintln(h.stdout)
	t := &columns{head: [][]string{{fmt.Sprintf("tensor at step %d", w.Last().Step), "shape", "norm"}}, right: []bool{false, false, true}}
	for _, p := range tensors[:min(int64(len(tensors)), h.rows)] {
		t.rows = append(t.rows, []string{p.Name, strings.Join(strings.Fields(strings.Trim(fmt.Sprint(p.Shape), "[]")), "×"), number(p.Norm)})
	}
	t.print(h.stdout)
	h.more(len(t.rows), len(tensors), "tensor")
	return nil
}

func maybeNumber(v *float64) string {
	if v == nil {
		return "-"
	}
	return number(*v)
}

// files lists the files of a folder.
func (h *head) files(dir string) error {
	t := &columns{head: [][]string{{"file", "size"}}, right: []bool{false, true}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if h.json {
			return h.line(struct {
				File string `json:"file"`
				Size int64  `json:"size"`
			}{name, info.Size()})
		}
		t.rows = append(t.rows, []string{name, bytes(info.Size())})
		return nil
	})
	if err == nil && !h.json {
		t.print(h.stdout)
	}
	return err
}

// plain prints a file as text if it is some.
func (h *head) plain(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = f
	if !h.all {
		r = io.LimitReader(f, 64<<10)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	text := string(data)
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[:i] // the rest of a head may end within a character
	}
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return errors.New("is neither a table nor text; anneal export writes it to a file")
	}
	lines := strings.SplitAfter(text, "\n")
	shown := min(int64(len(lines)), h.rows)
	if h.json {
		for _, line := range lines[:shown] {
			if err := h.line(map[string]string{"text": strings.TrimSuffix(line, "\n")}); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintln(h.stdout, strings.TrimRight(harmless(strings.Join(lines[:shown], "")), "\n"))
	h.more(int(shown), len(lines), "line")
	return nil
}
