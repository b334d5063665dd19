// node interop/readers/compare.mjs DIR...
//
// Opens every file that DIR/truth.json lists (interop/fixtures writes it) with every reader of JavaScript that knows its format, and compares rows,
// names, types and order of columns, whether they allow nulls, metadata, and every value to the bit.
//
// A reader is a module with a name and a function for each format, parquet, arrow or csv, of a path. It returns { rows, columns, metadata }, in the form
// of truth.json; of CSV, which has no types, columns have their texts. The limits of its library stand in untold, and no others are let pass:
//
//   optional   whether a column may be null
//   metadata   what stands in a file beside its columns
//   binary     the values of columns of bytes
//   mark       a byte order mark that a text begins with: what decodes text in JavaScript drops it unless told not to
import { readFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import * as arrow from './arrow.mjs'
import * as duckdb from './duckdb.mjs'
import * as hyparquet from './hyparquet.mjs'
import * as parquetWasm from './parquet-wasm.mjs'
import * as polars from './polars.mjs'
import { fromText } from './values.mjs'

const dirs = process.argv.slice(2)
if (dirs.length === 0) {
  console.error('usage: node compare.mjs DIR...')
  process.exit(2)
}

const whole = (v) => JSON.stringify(v) ?? 'nothing'
const head = (v) => whole(v).slice(0, 200)
const check = (what, have, want) => (whole(have) === whole(want) ? [] : [`${what} is ${head(have)}, want ${head(want)}`])

// differences yields in words what a reader found otherwise.
function* differences(have, want, untold) {
  yield* check('the number of rows', have.rows, want.rows)
  yield* check('the list of columns', have.columns.map((c) => c.name), want.columns.map((c) => c.name))
  for (const [key, value] of Object.entries(want.metadata ?? {})) {
    if (!untold.includes('metadata')) yield* check(`metadata ${key}`, have.metadata.get(key), value)
  }
  for (const [i, w] of want.columns.entries()) {
    const h = have.columns[i]
    if (!h) return
    if (h.texts) {
      yield* values(h.texts.map((v) => fromText(w.type, v)), w.values.map((v) => (v === '' ? null : v)), w, untold)
      continue
    }
    yield* check(`the type of ${w.name}`, h.type, w.type)
    if (!untold.includes('optional')) yield* check(`whether ${w.name} may be null`, h.optional, w.optional)
    if (untold.includes('binary') && w.type === 'binary') {
      yield* check(`what is told of ${w.name}`, h.values, undefined)
      continue
    }
    yield* values(h.values, w.values, w, untold)
  }
}

// values yields the first difference among the values of a column.
function* values(have, want, { name, type }, untold) {
  yield* check(`the number of values of ${name}`, have.length, want.length)
  if (untold.includes('mark') && type === 'string') want = want.map((v) => v?.replace(/^\ufeff/, '') ?? null)
  const row = want.findIndex((v, row) => whole(have[row]) !== whole(v))
  if (row >= 0) yield* check(`${name}, row ${row},`, have[row], want[row])
}

let problems = 0
for (const dir of dirs) {
  const files = JSON.parse(readFileSync(join(dir, 'truth.json'), 'utf8'))
  for (const reader of [duckdb, hyparquet, parquetWasm, polars, arrow]) {
    let read = 0
    let cells = 0
    for (const want of files) {
      const open = reader[extname(want.path).slice(1)]
      if (!open) continue
      try {
        for (const d of differences(await open(join(dir, want.path)), want, reader.untold)) {
          console.error(`problem: ${reader.name}: ${want.path}: ${d}`)
          problems++
        }
      } catch (err) {
        console.error(`problem: ${reader.name}: ${want.path}: ${err.stack}`)
        problems++
      }
      read++
      for (const c of want.columns) cells += c.values.length
    }
    console.log(`${reader.name}: ${read} files of ${basename(dir)}, ${cells} cells`)
    if (read === 0 && reader !== arrow) problems++
  }
}
console.log(problems ? `${problems} problems` : 'all equal')
process.exit(problems ? 1 : 0)
