// node interop/catalogue.mjs DIR [VIEW.COLUMN=TYPE...]
//
// Runs the load.sql of DIR as DuckDB's program would, from DIR and from elsewhere, and checks its catalogue: each view opens from
// both places with rows, a view stands for every Parquet file, and where comments are, they are not empty. Then it checks the
// types given.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { finish, name, problem, query, text } from './tables.mjs'

const [dir, ...types] = process.argv.slice(2)
if (!dir) {
  console.error('usage: node catalogue.mjs DIR [VIEW.COLUMN=TYPE...]')
  process.exit(2)
}

const script = readFileSync(join(dir, 'load.sql'), 'utf8')
const root = resolve(dir)
process.chdir(root)
await query(script)
const views = await query('select view_name, comment from duckdb_views() where not internal order by all')
const counts = async () => {
  const all = new Map()
  for (const { view_name: view } of views) {
    const [{ rows }] = await query(`select count(*) as rows from (select * from ${name(view)})`)
    all.set(view, rows)
  }
  return all
}
const here = await counts()
process.chdir(dirname(root))
await query(`set file_search_path = ${text(root)}`)
await query(script)
const there = await counts()
for (const [view, rows] of here) {
  console.log(`${view}: ${rows} rows`)
  if (rows === 0n) problem(`${view} has no rows`)
  if (there.get(view) !== rows) problem(`${view} has ${there.get(view)} rows when it is loaded from elsewhere, ${rows} from its folder`)
}

// A folder of partitions is one table.
const files = readdirSync(root, { recursive: true }).filter((f) => f.endsWith('.parquet') && !/\/(vocabulary|saves)\.parquet$/.test(f) && !f.startsWith('.'))
const tables = new Set(files.map((f) => (f.includes('=') && f.endsWith('/part.parquet') ? f.slice(0, f.indexOf('/')) : f)))
const [{ n }] = await query(`select count(*) as n from duckdb_views() where not internal`)
if (Number(n) !== tables.size) problem(`${n} views for ${tables.size} tables: ${[...tables].join(', ')}`)

const comments = await query(`select count(*) as n from duckdb_columns() where not internal and comment is not null`)
if (comments[0].n === 0n) problem('no column has a comment')
const empty = await query(`select table_name, column_name from duckdb_columns() where not internal and trim(comment) = ''`)
for (const c of empty) problem(`${c.table_name}.${c.column_name} has an empty comment`)
for (const want of types) {
  const [column, type] = want.split('=')
  const [view, field] = column.split('.')
  const found = await query(`select data_type from duckdb_columns() where table_name = ${text(view)} and column_name = ${text(field)}`)
  if (found[0]?.data_type !== type) problem(`${column} is ${found[0]?.data_type}, want ${type}`)
}
const [{ version }] = await query('select version() as version')
finish(`DuckDB ${version} has ${views.length} views of ${dir}, with comments on ${comments[0].n} columns`)
