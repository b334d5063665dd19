// node interop/sql.mjs "SQL": prints what DuckDB answers, with the types of its columns.
import { DuckDBInstance } from '@duckdb/node-api'

const connection = await (await DuckDBInstance.create()).connect()
const result = await connection.runAndReadAll(process.argv[2])
const cell = (v) => (v === null ? 'NULL' : typeof v === 'number' && !Number.isInteger(v) ? String(Number(v.toPrecision(6))) : String(v))
const rows = [result.columnNames(), result.columnTypes().map(String), ...result.getRowsJS().map((r) => r.map(cell))]
const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => [...r[i]].length)))
for (const r of rows) console.log(r.map((c, i) => c.padEnd(widths[i])).join('  ').trimEnd())
