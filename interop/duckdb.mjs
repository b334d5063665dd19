// node interop/duckdb.mjs DIR [COORDINATE...]
//
// Opens every Parquet file under DIR with DuckDB and checks what a reader relies on: rows are there, coordinates are
// typed columns, strings are VARCHAR, and numbers are finite or null. Each file that stands in DIR itself must have all
// the coordinates named, but for a report's claims, which are of all points together.
import { readdirSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { finish, name, problem, query, text } from './tables.mjs'

const [dir, ...coordinates] = process.argv.slice(2)
if (!dir) {
  console.error('usage: node duckdb.mjs DIR [COORDINATE...]')
  process.exit(2)
}

// The types that docs/artifacts.md promises. The bytes of a vocabulary are no text: they alone are a BLOB.
function expected(column) {
  if (column === 'seed' || column.endsWith('_seed')) return 'BIGINT'
  return { weight_decay: 'DOUBLE', task: 'VARCHAR', bytes: 'BLOB' }[column]
}

async function check(path) {
  const label = relative(dir, path)
  const from = `read_parquet(${text(path)}, hive_partitioning = false)` // coordinates come from the file, not from its path
  const columns = await query(`describe from ${from}`)
  const [{ rows }] = await query(`select count(*) as rows from ${from}`)
  console.log(`${label}: ${rows} rows`)
  console.log(`  ${columns.map((c) => `${c.column_name} ${c.column_type}`).join(', ')}`)
  if (rows === 0n) problem(`${label} has no rows`)
  const names = columns.map((c) => c.column_name)
  if (resolve(dirname(path)) === resolve(dir) && label !== 'claims.parquet') {
    for (const c of coordinates) if (!names.includes(c)) problem(`${label} has no column ${c}`)
  }
  for (const { column_name: column, column_type: type } of columns) {
    const want = expected(column)
    if (want ? type !== want : type === 'BLOB') problem(`${label}: ${column} is ${type}, want ${want ?? 'VARCHAR'}`)
    if (coordinates.includes(column)) {
      const [{ n }] = await query(`select count(*) as n from ${from} where ${name(column)} is null`)
      if (n > 0n) problem(`${label}: coordinate ${column} is null in ${n} rows`)
    }
    if (type === 'DOUBLE' || type === 'FLOAT') {
      const [{ n }] = await query(`select count(*) as n from ${from} where not isfinite(${name(column)})`)
      if (n > 0n) problem(`${label}: ${column} is not finite in ${n} rows`)
    }
  }
  await query(`select ${names.map((n) => `count(distinct ${name(n)})`).join(', ')} from ${from}`) // reads every page
}

const files = readdirSync(dir, { recursive: true }).filter((f) => f.endsWith('.parquet') && !basename(f).startsWith('.')).sort()
if (files.length === 0) problem(`${dir} has no Parquet files`)
for (const f of files) {
  try {
    await check(join(dir, f))
  } catch (err) {
    problem(`${f}: ${err.message}`)
  }
}
const [{ version }] = await query('select version() as version')
finish(`DuckDB ${version} read ${files.length} files`)
