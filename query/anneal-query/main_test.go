package main

import (
	"os"
	"strings"
	"testing"
)

// TestQuery: one statement, printed in three ways.
func TestQuery(t *testing.T) {
	t.Chdir(t.TempDir())
	const script = `create view v as select * from (values (1, 0.1::double, 'ü', true), (2, null, 'a "b"', null)) t(n, x, s, ok);`
	if err := os.WriteFile("load.sql", []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
	const ask = `select *, [n, n + 1] as list, sum(n) over () as total, 1.50 as money, 0.1::float as short, '\xFF'::blob as raw from v order by n`
	for name, c := range map[string]struct {
		print func(w *strings.Builder) error
		want  string
	}{
		"table": {func(w *strings.Builder) error { return query(w, ask, table) }, `
n        x       s        ok       list       total    money         short  raw
INTEGER  DOUBLE  VARCHAR  BOOLEAN  INTEGER[]  HUGEINT  DECIMAL(3,2)  FLOAT  BLOB
1        0.1     ü        true     [1,2]      3        1.5           0.1    ff
2        NULL    a "b"    NULL     [2,3]      3        1.5           0.1    ff
`},
		"csv": {func(w *strings.Builder) error { return query(w, ask, csvLines) }, `
n,x,s,ok,list,total,money,short,raw
1,0.1,ü,true,"[1,2]",3,1.5,0.1,ff
2,,"a ""b""",,"[2,3]",3,1.5,0.1,ff
`},
		"json": {func(w *strings.Builder) error { return query(w, ask, jsonLines) }, `
{"n":1,"x":0.1,"s":"ü","ok":true,"list":[1,2],"total":3,"money":1.5,"short":0.1,"raw":"ff"}
{"n":2,"x":null,"s":"a \"b\"","ok":null,"list":[2,3],"total":3,"money":1.5,"short":0.1,"raw":"ff"}
`},
	} {
		var got strings.Builder
		if err := c.print(&got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := c.want[1:]; got.String() != want {
			t.Errorf("%s is\n%swant\n%s", name, got.String(), want)
		}
	}
	if err := query(&strings.Builder{}, "select nothing from v", table); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("error %v, want one of the column", err)
	}
	if err := os.WriteFile("load.sql", []byte("create view w as from 'none.parquet';"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := query(&strings.Builder{}, "select 1", table); err == nil || !strings.Contains(err.Error(), "load.sql: ") {
		t.Errorf("error %v, want one of load.sql", err)
	}
}
