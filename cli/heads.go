// This file has a head for each format of artifact.

package cli

import (
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

	"anneal/artifacts"
)

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
	spelled := t.Vocabulary.Tokens
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
			}{i, at(i), quoted(spelled[at(i)].Bytes)}); err != nil {
				return err
			}
		}
		return nil
	}
	counts := make([]int, len(spelled))
	size := 0
	for i := range t.Len() {
		counts[at(i)]++
		if t := spelled[at(i)]; artifacts.KindOf(t) != "special" {
			size += len(t.Bytes)
		}
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
		often = append(often, fmt.Sprintf("%s %d", quoted(spelled[id].Bytes), counts[id]))
	}
	fmt.Fprintf(h.stdout, "most often: %s\n\n", strings.Join(often, "  "))
	var text strings.Builder
	for i := range shown {
		text.Write(spelled[at(i)].Bytes)
	}
	fmt.Fprintln(h.stdout, strings.TrimRight(harmless(strings.ToValidUTF8(text.String(), "�")), "\n"))
	if shown < t.Len() {
		fmt.Fprintf(h.stdout, "\n… these are the first %d tokens; --all decodes all\n", shown)
	}
	return nil
}

// quoted prints the bytes of a token.
func quoted(b []byte) string { return fmt.Sprintf("%q", b) }

// word is a token of a vocabulary as cat shows it: one of several bytes, or a special one.
type word struct {
	ID    int     `json:"id"`
	Token string  `json:"token"`
	Kind  string  `json:"kind,omitempty"` // where that is not text
	Left  *uint32 `json:"left,omitempty"` // of the merge of lowest rank
	Right *uint32 `json:"right,omitempty"`
}

func (h *head) vocabulary(path string) error {
	d, err := artifacts.ReadVocabulary(path)
	if err != nil {
		return err
	}
	ids := map[string]int{} // of text
	kinds := map[string]int{}
	var words []word
	var special []string
	for id, t := range d.Tokens {
		kind := artifacts.KindOf(t)
		kinds[kind]++
		switch kind {
		case "special":
			words = append(words, word{ID: id, Token: quoted(t.Bytes), Kind: kind})
			special = append(special, fmt.Sprintf("%s %d", quoted(t.Bytes), id))
		case "text":
			ids[string(t.Bytes)] = id
			if len(t.Bytes) > 1 {
				words = append(words, word{ID: id, Token: quoted(t.Bytes)})
			}
		}
	}
	merges := map[int]int{} // by the id that they make
	for i, m := range d.Merges {
		id := ids[string(d.Tokens[m.Left].Bytes)+string(d.Tokens[m.Right].Bytes)]
		if _, ok := merges[id]; !ok {
			merges[id] = i
		}
	}
	shown := words[:min(int64(len(words)), h.rows)]
	for i := range shown {
		if m, ok := merges[shown[i].ID]; ok {
			shown[i].Left, shown[i].Right = &d.Merges[m].Left, &d.Merges[m].Right
		}
	}
	if h.json {
		for _, w := range shown {
			if err := h.line(w); err != nil {
				return err
			}
		}
		return nil
	}
	if single := len(d.Tokens) - len(d.Merges); single == 256 && len(merges) == len(d.Merges) && !d.ByID {
		fmt.Fprintf(h.stdout, "%d tokens: the %d bytes and %s", len(d.Tokens), single, count(len(d.Merges), "merge"))
	} else {
		fmt.Fprintf(h.stdout, "%d tokens: %s; ", len(d.Tokens), tally(kinds["text"], "of text", kinds["fallback"], "of bytes", kinds["special"], "special", kinds["unused"], "unused"))
		if d.ByID {
			fmt.Fprint(h.stdout, "merges in the order of their ids")
		} else {
			fmt.Fprint(h.stdout, count(len(d.Merges), "merge"))
		}
	}
	if d.Pattern != "" {
		fmt.Fprintf(h.stdout, ", pattern %s", d.Pattern)
	}
	fmt.Fprintln(h.stdout)
	if n := len(special); n > 0 {
		named := strings.Join(special[:min(n, 8)], "  ")
		if n > 8 {
			named += fmt.Sprintf("  … and %d more", n-8)
		}
		fmt.Fprintf(h.stdout, "special: %s\n", named)
	}
	if len(words) == 0 {
		return nil
	}
	t := &columns{head: [][]string{{"id", "token", "left", "right"}}, right: []bool{true, false, false, false}}
	for _, w := range shown {
		row := []string{fmt.Sprint(w.ID), w.Token, w.Kind, ""}
		if w.Left != nil {
			row = []string{fmt.Sprint(w.ID), w.Token, quoted(d.Tokens[*w.Left].Bytes), quoted(d.Tokens[*w.Right].Bytes)}
		}
		t.rows = append(t.rows, row)
	}
	t.print(h.stdout)
	h.more(len(shown), len(words), "token")
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
