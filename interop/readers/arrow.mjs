import { readFileSync } from 'node:fs'
import { DataType, tableFromIPC, TimeUnit } from 'apache-arrow'
import { form } from './values.mjs'

export const name = 'Apache Arrow'
export const untold = ['mark']

function typeName(t) {
  if (DataType.isList(t) && !t.children[0].nullable) return `list<${typeName(t.children[0].type)}>`
  if (DataType.isTimestamp(t) && t.unit === TimeUnit.MICROSECOND && t.timezone === 'UTC') return 'time'
  return { Utf8: 'string', Bool: 'bool' }[String(t)] ?? String(t).toLowerCase()
}

// reader returns a function that puts a value of type t into its form. Of times the library makes milliseconds: ofTable takes their numbers instead.
function reader(t) {
  const one = DataType.isList(t) ? (list) => Array.from(list, reader(t.children[0].type)) : form(typeName(t))
  return (v) => (v === null ? null : one(v))
}

// ofTable is what a reader returns, of an Arrow table.
export function ofTable(table) {
  const columns = table.schema.fields.map((f, i) => {
    const vector = table.getChildAt(i)
    const values = DataType.isTimestamp(f.type) ? numbers(vector) : vector
    return { name: f.name, type: typeName(f.type), optional: f.nullable, values: Array.from(values, reader(f.type)) }
  })
  return { rows: table.numRows, columns, metadata: table.schema.metadata }
}

function* numbers(vector) {
  for (const data of vector.data) for (let i = 0; i < data.length; i++) yield data.getValid(i) ? data.values[i] : null
}

export const arrow = (path) => ofTable(tableFromIPC(readFileSync(path)))
