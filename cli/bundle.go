package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/artifacts/archive"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// bundled are the types of artifacts that every bundle takes along: what people read, and small.
var bundled = []string{"report", "table", "samples", "examples"}

func (c *command) bundle() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle RUN",
		Short: "Pack a run into one file for others",
		Example: `  anneal bundle last
  anneal bundle night-3 -o study.tar --with finetune.sft.weights`,
		Long: `Packs a run as a study that others open with 'anneal open', or with tar: the HCL files and the local files as the run
read them, every result with its digests, the journal, the report, and the artifacts that people read: tables, samples,
examples, reports. Weights and other artifacts are left out unless --with or --all asks for them; whoever opens the
study can have them computed again, to the same digests. One run gives the same bytes each time.`,
		Args: cobra.ExactArgs(1),
	}
	out := cmd.Flags().StringP("output", "o", "", "write `FILE` (default PIPELINE.tar)")
	with := cmd.Flags().StringArray("with", nil, "take along the artifacts of `ADDR[.OUTPUT]`; may be repeated")
	all := cmd.Flags().Bool("all", false, "take along every artifact")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		st := c.store()
		run, err := pipeline.FindRun(st, "", args[0])
		if err != nil {
			return usagef("%w", err)
		}
		b := &bundle{c: c, st: st, run: run, packed: map[string]bool{}, all: *all, with: map[store.Digest]bool{}}
		for _, arg := range *with {
			if err := b.take(arg); err != nil {
				return fmt.Errorf("--with: %w", err)
			}
		}
		if err := b.collect(); err != nil {
			return err
		}
		target := *out
		if target == "" {
			target = run.Pipeline + ".tar"
		}
		err = replace(target, func(part string) error {
			f, err := os.Create(part)
			if err != nil {
				return err
			}
			return errors.Join(archive.Write(f, run.Pipeline, run.Started, b.files), f.Close())
		})
		if err != nil {
			return err
		}
		return b.tell(target)
	}
	return cmd
}

// bundle is what goes into an archive.
type bundle struct {
	c    *command
	st   *store.Store
	run  *pipeline.Record
	all  bool
	with map[store.Digest]bool // artifacts that were asked for

	begin   *pipeline.Begin // what the journal says of the run as a whole
	files   []archive.File
	packed  map[string]bool // names of files
	here    int             // artifacts that go along
	leftOut []leftOut
	bytes   int64
}

// leftOut is an artifact that does not go along.
type leftOut struct {
	addr, output string
	blob         store.Blob
}

// take notes the artifacts that an argument of --with names.
func (b *bundle) take(arg string) error {
	all, err := b.c.ofRun(b.st, b.run.ID, arg)
	if err != nil {
		return err
	}
	for _, n := range all {
		if err := n.need(b.st); err != nil {
			return err
		}
		for name, blob := range n.result.Outputs {
			if n.output == "" || n.output == name {
				if b.st.Dropped(blob) {
					return fmt.Errorf("%s.%s was dropped; `anneal run %s --replace '%s'` makes it again", n.addr, name, b.run.Pipeline, n.addr)
				}
				b.with[blob.Digest] = true
			}
		}
	}
	return nil
}

// collect lists everything that is to be packed. Problems are told together.
func (b *bundle) collect() error {
	switch {
	case b.run.Unfinished:
		return fmt.Errorf("run %s of %s has not ended: it was killed or still goes on. Run again, and bundle that run", b.run.Short(), b.run.Pipeline)
	case len(b.run.Sources) == 0:
		return fmt.Errorf("run %s of %s kept no HCL files, as runs of older versions did not. Run again, which costs nothing where all is stored, and bundle that run", b.run.Short(), b.run.Pipeline)
	}
	var all []error
	all = append(all, b.study()...)
	all = append(all, b.results()...)
	if err := errors.Join(all...); err != nil {
		return err
	}
	if err := b.history(); err != nil {
		return err
	}
	b.readme()
	return nil
}

// add packs a file, once.
func (b *bundle) add(f archive.File) {
	if !b.packed[f.Name] {
		b.packed[f.Name] = true
		b.files = append(b.files, f)
		b.bytes += f.Size
	}
}

// inStore names a file of the store as it is packed.
func (b *bundle) inStore(path string) string {
	rel, err := filepath.Rel(b.st.Dir(), path)
	if err != nil {
		panic("cli: a file of the store lies outside it: " + path)
	}
	return ".anneal/" + filepath.ToSlash(rel)
}

// object is the file of an object, under a name of its own or that of the store.
func (b *bundle) object(name string, o store.Object) archive.File {
	from := b.st.Path(o.Digest)
	if name == "" {
		name = b.inStore(from)
	}
	return archive.File{Name: name, Digest: o.Digest, Size: o.Size, ReadOnly: strings.HasPrefix(name, ".anneal/"),
		Open: func() (io.ReadCloser, error) { return os.Open(from) }}
}

// study packs what stands in the study's folder: the HCL files as they were, and the local files that stages read.
func (b *bundle) study() (problems []error) {
	for _, name := range sortedNames(b.run.Sources) {
		d := b.run.Sources[name]
		if !fs.ValidPath(name) {
			problems = append(problems, fmt.Errorf("%s lies outside the study's folder, where a bundle cannot put it: move it in, and run again", name))
			continue
		}
		text, err := b.st.Read(store.Blob{Digest: d})
		if err != nil {
			problems = append(problems, fmt.Errorf("%s, as run %s read it: %w", name, b.run.Short(), err))
			continue
		}
		b.warn(name, string(text))
		b.add(archive.Bytes(name, text))
		b.add(b.object("", store.Object{Digest: d, Size: int64(len(text))}))
	}
	for _, name := range sortedNames(b.run.Files) {
		want, from := b.run.Files[name], filepath.Join(b.c.root(), filepath.FromSlash(name))
		if !fs.ValidPath(name) {
			problems = append(problems, fmt.Errorf("%s lies outside the study's folder, where a bundle cannot put it: move it in, and run again; what is stored stays so", name))
			continue
		}
		got, size, err := store.HashFile(from)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s, which the run read, cannot be read: %w", name, err))
		case got != want:
			problems = append(problems, fmt.Errorf("%s has changed since the run read it: it has the digest %s, and had %s. Put the old file back, or run again", from, got.Short(), want.Short()))
		default:
			b.add(archive.File{Name: name, Digest: got, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(from) }})
		}
	}
	return problems
}

// warn tells of paths of this machine in an HCL file, which goes along as it is.
func (b *bundle) warn(name, text string) {
	for i, line := range strings.Split(text, "\n") {
		if code, _, _ := strings.Cut(line, "#"); absolute.MatchString(code) {
			fmt.Fprintf(b.c.stderr, "note: %s line %d names a path of this machine, which others will read: %s\n", name, i+1, strings.TrimSpace(line))
		}
	}
}

// results packs every result that the run reached, or came from, and the artifacts chosen.
func (b *bundle) results() (problems []error) {
	reached := map[store.Digest]string{}
	var queue []store.Digest
	for addr, key := range b.run.Reached() {
		if _, twice := reached[key]; !twice {
			reached[key] = addr
			queue = append(queue, key)
		}
	}
	seen := map[store.Digest]bool{}
	dropped := map[string]store.Blob{} // by the name of the marker
	for ; len(queue) > 0; queue = queue[1:] {
		key := queue[0]
		if seen[key] {
			continue
		}
		seen[key] = true
		addr, isReached := reached[key]
		res, err := b.st.Result(key)
		if err != nil {
			if isReached {
				problems = append(problems, fmt.Errorf("%s: its result is lost: %w", addr, err))
			}
			continue
		}
		data, err := os.ReadFile(b.st.ResultPath(key))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		b.add(archive.Bytes(b.inStore(b.st.ResultPath(key)), data))
		for _, field := range sortedNames(res.Made.Inputs) {
			queue = append(queue, res.Made.Inputs[field])
		}
		if res.Made.Log != nil { // may name paths and hosts
			dropped[b.inStore(b.st.DroppedPath(*res.Made.Log))] = *res.Made.Log
		}
		for _, name := range sortedNames(res.Outputs) {
			blob := res.Outputs[name]
			if !isReached || !b.chosen(blob) || b.st.Dropped(blob) {
				dropped[b.inStore(b.st.DroppedPath(blob))] = blob
				if isReached {
					b.leftOut = append(b.leftOut, leftOut{addr, name, blob})
				}
				continue
			}
			objects, err := b.st.Objects(blob)
			if err == nil {
				err = b.st.Present(blob)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s.%s: %w; run again to make it anew", addr, name, err))
				continue
			}
			b.here++
			for _, o := range objects {
				b.add(b.object("", o))
			}
			if blob.Type == "report" {
				b.report(addr, objects)
			}
		}
	}
	isPacked := func(blob store.Blob) bool { return b.packed[b.inStore(b.st.Path(blob.Digest))] }
	for marker, blob := range dropped {
		if !isPacked(blob) {
			b.add(archive.Bytes(marker, nil))
		}
	}
	chosen := len(b.leftOut)
	b.leftOut = slices.DeleteFunc(b.leftOut, func(l leftOut) bool { return isPacked(l.blob) }) // as part of another
	b.here += chosen - len(b.leftOut)
	return problems
}

func (b *bundle) chosen(blob store.Blob) bool {
	return b.all || b.with[blob.Digest] || slices.Contains(bundled, blob.Type)
}

// report packs a report's page and tables where a run leaves them, the tables as they are stored: compressed ones would
// differ from one version of the compressor to the next.
func (b *bundle) report(addr string, objects []store.Object) {
	dir := path.Join("results", b.run.Pipeline)
	if several(b.run, pipeline.KindOf(addr)) {
		block, point, err := pipeline.ParseAddr(addr)
		if err != nil {
			panic(err) // it was parsed before
		}
		dir = path.Join(dir, strings.TrimPrefix(fileName(block, point), pipeline.KindOf(addr)+"."))
	}
	for _, o := range objects {
		if o.Name != "" {
			b.add(b.object(path.Join(dir, o.Name), o))
		}
	}
}

// several tells whether the run was about more than one stage of a kind.
func several(r *pipeline.Record, kind string) bool {
	n := 0
	for addr := range r.Reached() {
		if pipeline.KindOf(addr) == kind {
			n++
		}
	}
	for _, addr := range slices.Concat(r.Failed, r.Skipped) {
		if _, reached := r.Before[addr]; !reached && pipeline.KindOf(addr) == kind {
			n++
		}
	}
	return n > 1
}

// history packs the run's record and journal, without the paths of this machine in what they say.
func (b *bundle) history() error {
	record := *b.run
	record.Command = apart(record.Command)
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	b.add(archive.Bytes(".anneal/runs/"+record.ID+".json", append(data, '\n')))
	var journal strings.Builder
	lines := json.NewEncoder(&journal)
	lines.SetEscapeHTML(false)
	for e, err := range b.run.Journal(b.st) {
		if err != nil {
			return err
		}
		e.Text, e.Why = elsewhere(e.Text), apart(e.Why)
		if e.Begin != nil {
			b.begin = e.Begin
			e.Begin.Command = apart(e.Begin.Command)
			var values strings.Builder
			for _, name := range sortedNames(e.Begin.Variables) {
				e.Begin.Variables[name] = elsewhere(e.Begin.Variables[name])
				fmt.Fprintf(&values, "%s = %s\n", name, e.Begin.Variables[name])
			}
			if values.Len() > 0 {
				b.add(archive.Bytes(variablesFile, []byte(values.String())))
			}
		}
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	b.add(archive.Bytes(".anneal/runs/"+record.ID+".jsonl", []byte(journal.String())))
	return nil
}

// variablesFile has the variables' values that the run had, for --var-file.
const variablesFile = "run.vars"

// absolute finds absolute paths of two names at least.
var absolute = regexp.MustCompile("(^|[\\s\"'`(\\[=:,])((?:/[^/\\s\"'`()\\[\\]=:,;]+)+)(/[^/\\s\"'`()\\[\\]=:,;]+)")

// elsewhere leaves of absolute paths in a text only their last name: what lies around it is another machine's business.
func elsewhere(text string) string { return absolute.ReplaceAllString(text, "$1…$3") }

func apart(texts []string) []string {
	var all []string
	for _, t := range texts {
		all = append(all, elsewhere(t))
	}
	return all
}

// readme packs a page for people who have nothing but the archive, unless the study has a file of its own there.
func (b *bundle) readme() {
	const name = "README.txt"
	if b.packed[name] {
		return
	}
	r := b.run
	var t strings.Builder
	fmt.Fprintf(&t, "A run of the pipeline %s, made with Anneal.\n\n", r.Pipeline)
	fmt.Fprintf(&t, "run      %s\n", r.ID)
	program := ""
	if b.begin != nil {
		program = strings.TrimSpace(fmt.Sprintf("anneal %s %s", b.begin.Versions["anneal"], b.begin.Versions["revision"]))
		program += ", " + b.begin.Versions["go"] + ", " + b.begin.Versions["arch"]
	}
	for _, line := range [][2]string{{"name", r.Name}, {"note", r.Note}, {"command", elsewhere(shellWords(r.Command))}, {"program", program}} {
		if line[1] != "" {
			fmt.Fprintf(&t, "%-8s %s\n", line[0], line[1])
		}
	}
	fmt.Fprintf(&t, "stages   %s\n", tally(r.Summary.Ran, "ran", r.Summary.Cached, "cached", r.Summary.Failed, "failed", r.Summary.Skipped, "skipped"))
	fmt.Fprintf(&t, "results  %d artifacts are here, %d were left out and can be computed again\n", b.here, len(b.leftOut))
	for _, part := range []struct {
		title string
		lines [][2]string
	}{
		{"Without anneal", [][2]string{
			{"results/" + r.Pipeline + "/", "the report's page, for any browser, and its tables as Parquet"},
			{"*.hcl", "what every stage is, declared"},
			{"sha256sum -c MANIFEST", "checks every file"},
			{".anneal/results/", "of every stage, as text: what it depended on, and the digests of what it left"},
			{".anneal/objects/", "artifacts, each under its SHA-256"},
		}},
		{"With anneal, in this folder", [][2]string{
			{"anneal ls " + r.Pipeline, "lists the artifacts of all stages"},
			{"anneal plan " + r.Pipeline, "says what a run would compute"},
			{"anneal verify --rerun " + r.Pipeline + "/ADDR", "computes a stage again and compares it with the digests given here"},
		}},
	} {
		fmt.Fprintf(&t, "\n%s\n", part.title)
		for _, line := range part.lines {
			fmt.Fprintf(&t, "  %-36s  %s\n", line[0], line[1])
		}
	}
	if b.packed[variablesFile] {
		fmt.Fprintf(&t, "\nWith --var-file %s variables have the values that they had in the run, where those are not the defaults.\n", variablesFile)
	}
	b.add(archive.Bytes(name, []byte(t.String())))
}

// tell says what was packed.
func (b *bundle) tell(target string) error {
	if b.c.json {
		names := make([]string, len(b.leftOut))
		for i, l := range b.leftOut {
			names[i] = l.addr + "." + l.output
		}
		return b.c.line(struct {
			File      string   `json:"file"`
			Run       string   `json:"run"`
			Pipeline  string   `json:"pipeline"`
			Files     int      `json:"files"`
			Bytes     int64    `json:"bytes"`
			Artifacts int      `json:"artifacts"`
			LeftOut   []string `json:"left_out"`
		}{target, b.run.ID, b.run.Pipeline, len(b.files), b.bytes, b.here, names})
	}
	fmt.Fprintf(b.c.stdout, "%s: run %s of %s, %s, %s\n", target, b.run.Short(), b.run.Pipeline, count(len(b.files), "file"), bytes(b.bytes))
	if n := len(b.leftOut); n > 0 {
		largest := slices.MaxFunc(b.leftOut, func(x, y leftOut) int { return cmp.Compare(x.blob.Size, y.blob.Size) })
		block, _, _ := strings.Cut(largest.addr, "[")
		fmt.Fprintf(b.c.stdout, "%d of %s are in it. The others can be computed again, or taken along: --with %s.%s, or --all\n",
			b.here, count(b.here+n, "artifact"), block, largest.output)
	}
	return nil
}
