package cli

import (
	"fmt"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// artifactsPage describes types of artifacts, and the schemas of tables in them and beside them.
func artifactsPage(s *pipeline.Schema) string {
	var b strings.Builder
	fmt.Fprint(&b, "# Artifacts\n\nWhat the files hold that stages leave, and those that are exported. [Artifacts](../artifacts.md) tells where they land and how to read them.\n\n"+
		"Tables are Parquet, arrays are Arrow IPC files. In the store neither is compressed. Columns stand in the order given; a schema has another version once its columns have changed. "+
		"A unit of `1` marks a number without one, `index` a place in a list.\n\n"+
		"An exported table begins with the coordinates of its sweep, and says its schema, version, units and the texts below as JSON under the key `anneal.table` of its metadata "+
		"(Parquet and Arrow); an Arrow field has `unit`, `null` and `doc` besides.\n\n# Types\n")
	for _, t := range artifacts.Types() {
		fmt.Fprintf(&b, "\n## type %s\n\n%s\n", t.Name, t.Doc)
		if t.Name == "table" {
			tableOutputs(&b, s)
		}
		if len(t.Files) > 0 {
			fmt.Fprint(&b, "\n| file | |\n|---|---|\n")
		}
		for _, f := range t.Files {
			name, text := "itself, Parquet", f.Doc
			if f.Name != "" {
				name = code(f.Name)
			}
			if f.Schema != "" {
				text = strings.TrimPrefix(text+"; schema "+schemaLink(f.Schema), "; ")
			}
			fmt.Fprintf(&b, "| %s | %s |\n", name, inCell(text))
		}
		for _, f := range t.Files {
			if f.Columns != nil {
				fmt.Fprintf(&b, "\nColumns of `%s`:\n", f.Name)
				columnTable(&b, f.Columns)
			}
		}
	}
	fmt.Fprint(&b, "\n# Schemas\n")
	for _, schema := range artifacts.Schemas() {
		schemaSection(&b, schema)
	}
	fmt.Fprint(&b, "\n# Tables beside artifacts\n\n`lineage` is `results/PIPELINE/lineage/artifacts.parquet`; the others are what `anneal export --runs` writes.\n")
	for _, schema := range append(histories[:len(histories):len(histories)], lineages) {
		schemaSection(&b, schema)
	}
	return b.String()
}

// tableOutputs lists the outputs that are tables, with their schemas.
func tableOutputs(b *strings.Builder, s *pipeline.Schema) {
	fmt.Fprint(b, "\n| output | schema |\n|---|---|\n")
	for _, k := range s.Kinds {
		for _, o := range k.Outputs {
			if o.Type != "table" {
				continue
			}
			schema := "—"
			if o.Schema != "" {
				schema = schemaLink(o.Schema)
			}
			fmt.Fprintf(b, "| [%s](%s.md#outputs) `%s` | %s |\n", k.Name, k.Name, o.Name, schema)
		}
	}
}

func schemaLink(name string) string { return fmt.Sprintf("[%s](artifacts.md#schema-%s)", name, name) }

func schemaSection(b *strings.Builder, s artifacts.Schema) {
	fmt.Fprintf(b, "\n## schema %s\n\nVersion %d. A row is %s.\n", s.Name, s.Version, s.Doc)
	columnTable(b, s.Columns)
}

func columnTable(b *strings.Builder, columns []artifacts.ColumnDoc) {
	fmt.Fprint(b, "\n| column | type | unit | null | |\n|---|---|---|---|---|\n")
	for _, c := range columns {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", c.Name, c.Type, inCell(c.Unit), inCell(c.Null), inCell(c.Doc))
	}
}
