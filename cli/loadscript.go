package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"anneal/artifacts"
)

// loadFile is a script that makes DuckDB a catalogue of the tables in a folder.
const loadFile = "load.sql"

// loadHead begins every such script: what begins otherwise is somebody's own.
const loadHead = `-- Views of the tables in this folder, for DuckDB. Made by anneal, which writes it anew.
`

// loadScript writes the script of a folder of exports.
func (c *command) loadScript(dir string) error {
	files, err := tableFiles(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, loadFile)
	if wrote, err := c.writeScript(path, files); err != nil || !wrote {
		return err
	}
	return c.wrote(path)
}

// writeScript writes the script of tables, by their files from its folder, unless there are none, or somebody's own script of
// that name.
func (c *command) writeScript(path string, files []string) (wrote bool, err error) {
	if len(files) == 0 {
		return false, nil
	}
	if text, err := os.ReadFile(path); err == nil && !strings.HasPrefix(string(text), loadHead) {
		fmt.Fprintf(c.stderr, "%s is not one that anneal wrote, and is let alone\n", path)
		return false, nil
	}
	text := loadText(filepath.Dir(path), files)
	return true, replace(path, func(part string) error { return os.WriteFile(part, []byte(text), 0o666) })
}

// tableFiles lists the tables in a folder: Parquet files, and folders of partitions, each by one of its files.
func tableFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			one, err := firstPart(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			if one != "" {
				files = append(files, filepath.Join(e.Name(), one))
			}
		case filepath.Ext(e.Name()) == ".parquet":
			files = append(files, e.Name())
		}
	}
	return files, nil
}

// firstPart returns a file of a folder that writeParts made, by its path from there, "" in any other folder.
func firstPart(dir string) (string, error) {
	var first string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || path == dir:
			return err
		case e.IsDir() && !strings.Contains(e.Name(), "="):
			return fs.SkipDir
		case e.Name() == partFile && filepath.Dir(path) != dir:
			first, _ = filepath.Rel(dir, path)
			return fs.SkipAll
		}
		return nil
	})
	return first, err
}

// loadText is the script of tables, by their files from dir.
func loadText(dir string, files []string) string {
	var b strings.Builder
	b.WriteString(loadHead)
	fmt.Fprintf(&b, "-- Paths are from this folder: cd here and type duckdb -init %s, or elsewhere\n", loadFile)
	fmt.Fprintf(&b, "--   set file_search_path = 'this/folder'; .read this/folder/%s\n", loadFile)
	var names []string
	for _, file := range files {
		about, columns, err := artifacts.Described(filepath.Join(dir, file))
		if err != nil {
			continue // no Parquet, whatever it is called
		}
		if about.Columns == nil {
			about = recognised(columns)
		}
		name := viewName(file, names)
		names = append(names, name)
		writeView(&b, name, file, about, columns)
	}
	return b.String()
}

// recognised describes the columns of an artifact as it is stored, which says nothing of itself.
func recognised(columns []artifacts.Column) artifacts.Description {
	for _, s := range artifacts.Schemas() {
		if s.Fits(columns) {
			return describe(&s)
		}
	}
	return artifacts.Description{}
}

// viewName makes a name that SQL takes without quotes of that of a file, other than the names that there are.
func viewName(file string, names []string) string {
	path := strings.TrimSuffix(filepath.ToSlash(file), ".parquet")
	if i := strings.Index(path, "="); strings.HasSuffix(file, "/"+partFile) && i >= 0 {
		path, _, _ = strings.Cut(path, "/")
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, path)
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	unique := name
	for i := 2; slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, unique) }); i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	return unique
}

// duckTypes are the types of columns as DuckDB calls them.
var duckTypes = map[artifacts.Type]string{artifacts.Int64: "BIGINT", artifacts.Float64: "DOUBLE", artifacts.String: "VARCHAR", artifacts.Bool: "BOOLEAN"}

// writeView writes a view of one table, with its comments.
func writeView(b *strings.Builder, name, file string, about artifacts.Description, columns []artifacts.Column) {
	list := make([]string, 0, len(columns))
	from := fmt.Sprintf("read_parquet(%s, hive_partitioning = false)", sqlPath(file))
	if about.Partitions != nil {
		folder, _, _ := strings.Cut(filepath.ToSlash(file), "/")
		var types []string
		for _, p := range about.Partitions {
			list = append(list, sqlName(p.Name))
			types = append(types, sqlText(p.Name)+": "+duckTypes[p.Type])
		}
		from = fmt.Sprintf("read_parquet(%s, hive_partitioning = true, hive_types = {%s})",
			sqlText(folder+strings.Repeat("/*", len(about.Partitions))+"/"+partFile), strings.Join(types, ", "))
	}
	for _, c := range columns {
		list = append(list, sqlName(c.Name))
	}
	fmt.Fprintf(b, "\ncreate or replace view %s as select %s\nfrom %s;\n", sqlName(name), strings.Join(list, ", "), from)
	var words []string
	if about.Doc != "" {
		words = append(words, "a row is "+about.Doc)
	}
	if about.Schema != "" {
		words = append(words, fmt.Sprintf("schema %s, version %d", about.Schema, about.Version))
	}
	if words != nil {
		fmt.Fprintf(b, "comment on view %s is %s;\n", sqlName(name), sqlText(strings.Join(words, "; ")))
	}
	for _, c := range append(slices.Clone(about.Partitions), about.Columns...) {
		if text := columnComment(c); text != "" && slices.Contains(list, sqlName(c.Name)) {
			fmt.Fprintf(b, "comment on column %s.%s is %s;\n", sqlName(name), sqlName(c.Name), sqlText(text))
		}
	}
}

// columnComment says what a column holds, with its unit if there is one, and what null means.
func columnComment(c artifacts.ColumnDoc) string {
	text := c.Doc
	if c.Unit != "" && c.Unit != "1" && c.Unit != "index" {
		text = strings.TrimSpace(text + " [" + c.Unit + "]")
	}
	if c.Null != "" {
		text += "; null: " + c.Null
	}
	return strings.TrimPrefix(text, "; ")
}

// sqlPath is the path of one file, whose name is no pattern.
func sqlPath(file string) string {
	return sqlText(strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(filepath.ToSlash(file)))
}

func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func sqlName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
