package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// writeResults leaves the reports of a run under results/<pipeline>/, each in a folder of its own where the pipeline has
// several. Pages are copied, tables compressed. What an earlier run wrote there and the reports no longer have is removed,
// unless somebody else has changed it since; other files are let alone.
func (c *command) writeResults(g *pipeline.Graph, out *pipeline.Outcome, st *store.Store, cores int) error {
	selected := map[*pipeline.Node]bool{}
	for _, n := range g.Nodes {
		selected[n] = true
	}
	type report struct {
		node *pipeline.Node
		blob store.Blob
	}
	var made []report
	var missing, stand []*pipeline.Node
	for _, n := range g.Whole().Nodes {
		for _, o := range n.Stage.Outputs() {
			if o.Type != "report" {
				continue
			}
			if res := out.Results[n]; res != nil {
				made = append(made, report{n, res.Outputs[o.Name]})
				continue
			}
			stand = append(stand, n)
			if selected[n] {
				missing = append(missing, n)
			}
		}
	}
	root := filepath.Join(c.root(), "results", g.Name)
	if _, err := os.Stat(root); err == nil {
		for _, n := range missing {
			fmt.Fprintf(c.stderr, "%s was not made; what stands under results/%s is older than this run.\n", n.Addr, g.Name)
		}
	}
	if len(made) == 0 {
		return nil
	}
	folder := func(n *pipeline.Node) string {
		if len(made)+len(stand) == 1 {
			return "."
		}
		return strings.TrimPrefix(fileName(n.Block, n.Point), n.Kind.Name+".")
	}
	guard := store.Digest(sha256.Sum256([]byte("results " + g.Name))) // runs of one pipeline often end together
	unlock, err := st.Lock(context.Background(), guard, nil)
	if err != nil {
		return err
	}
	defer unlock()
	staged := filepath.Join(st.Dir(), "results-"+guard.String())
	w := written{root: root, files: map[string]store.Digest{}}
	from := c.origins(g, out, cores)
	claims := make([][]string, len(made))
	for i, r := range made {
		if claims[i], err = c.writeReport(&w, folder(r.node), r.blob, st, staged, from, from.of(r.node)); err != nil {
			return err
		}
	}
	var keep []string
	for _, n := range stand {
		keep = append(keep, folder(n))
	}
	if err := w.settle(keep, c.catalogue); err != nil {
		return err
	}
	if !c.json {
		for i, r := range made {
			fmt.Fprintf(c.stdout, "report: %s\n", filepath.Join(root, folder(r.node), "report.html"))
			for _, claim := range claims[i] {
				fmt.Fprintf(c.stdout, "  %s\n", claim)
			}
		}
	}
	return nil
}

// writeReport writes the files of one report, and what they came from, into a folder of w, by way of the folder staged. It
// returns what the report says of each of its claims.
func (c *command) writeReport(w *written, folder string, b store.Blob, st *store.Store, staged string, from *origins, of map[store.Digest][]pipeline.Ref) (claims []string, err error) {
	if err := os.RemoveAll(staged); err != nil { // a run that was killed may have left it
		return nil, err
	}
	if err = stage(st, b, staged); err == nil {
		claims = verdicts(filepath.Join(staged, "claims.parquet"))
		err = copyTree(staged, filepath.Join(w.root, folder), func(path, part string) error {
			if err := from.copy(path, part, of); err != nil {
				return err
			}
			rel, err := filepath.Rel(staged, path)
			if err != nil {
				return err
			}
			digest, _, err := store.HashFile(part)
			w.wrote(filepath.Join(folder, rel), digest)
			return err
		})
	}
	if err == nil {
		err = from.write(w, folder, of)
	}
	return claims, errors.Join(err, os.RemoveAll(staged))
}

// verdicts reads what a report says of its claims, a line each; nil where it makes none.
func verdicts(path string) []string {
	table, err := artifacts.ReadTable(path)
	if err != nil {
		return nil
	}
	text := map[string][]any{}
	for _, c := range table.Columns {
		text[c.Name] = c.Values
	}
	if text["verdict"] == nil || text["says"] == nil { // a table of somebody's own
		return nil
	}
	var lines []string
	for i := range text["name"] {
		lines = append(lines, fmt.Sprintf("%s %s: %s", text["name"][i], text["verdict"][i], text["says"][i]))
	}
	return lines
}

// written is what a run wrote below root: the digests of files, by their names from there.
type written struct {
	root  string
	files map[string]store.Digest
}

// wrote notes a file.
func (w *written) wrote(name string, digest store.Digest) { w.files[filepath.ToSlash(name)] = digest }

// list is the file that says what earlier runs wrote. `sha256sum -c` can check it.
func (w *written) list() string { return filepath.Join(w.root, ".anneal") }

// catalogue writes the script of all tables below root.
func (c *command) catalogue(w *written) error {
	var files []string
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		if filepath.Ext(name) == ".parquet" {
			files = append(files, name)
		}
	}
	path := filepath.Join(w.root, loadFile)
	wrote, err := c.writeScript(path, files)
	if err != nil || !wrote {
		return err
	}
	digest, _, err := store.HashFile(path)
	w.wrote(loadFile, digest)
	return err
}

// settle removes what earlier runs wrote and this one did not, except below the folders to keep, lets more write what speaks of
// all that is there, and notes it.
func (w *written) settle(keep []string, more func(*written) error) error {
	before, err := os.ReadFile(w.list())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(before)) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		digest, err := store.ParseDigest(sum)
		if _, still := w.files[name]; still || err != nil || !filepath.IsLocal(name) {
			continue
		}
		if slices.ContainsFunc(keep, func(folder string) bool { return strings.HasPrefix(name, folder+"/") }) {
			w.files[name] = digest
			continue
		}
		path := filepath.Join(w.root, filepath.FromSlash(name))
		if is, _, err := store.HashFile(path); err != nil || is != digest {
			continue // gone, or another's by now
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		os.Remove(filepath.Dir(path)) // if that was the last file in it
	}
	if err := more(w); err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		fmt.Fprintf(&text, "%s  %s\n", w.files[name], name)
	}
	return replace(w.list(), func(part string) error { return os.WriteFile(part, []byte(text.String()), 0o666) })
}

// stage puts a verified artifact at path. A damaged one is set aside, so that the next run makes it again.
func stage(st *store.Store, b store.Blob, path string) error {
	err := st.Stage(b, path)
	var damaged *store.DamagedError
	if errors.As(err, &damaged) {
		err = errors.Join(fmt.Errorf("%w; it was set aside: run again to make it anew", err), st.SetAside(b))
	}
	return err
}

// copyTree copies the files of a folder one by one into another.
func copyTree(from, to string, copy func(from, to string) error) error {
	return filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		return replace(target, func(part string) error { return copy(path, part) })
	})
}

// replace lets write make a file and puts it at path only once it is whole. Another process may do the same.
func replace(path string, write func(part string) error) error {
	part := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.part", filepath.Base(path), os.Getpid()))
	err := write(part)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
