import { readFileSync } from 'node:fs'
import pl from 'nodejs-polars'
import { forms } from './values.mjs'

export const name = 'polars'
// A frame has no notion of columns that allow no nulls, keeps nothing of a file's metadata, and has no way from a column of bytes to JavaScript.
export const untold = ['optional', 'metadata', 'binary']

const types = { Int64: 'int64', UInt32: 'uint32', UInt16: 'uint16', Float64: 'float64', Float32: 'float32', String: 'string', Bool: 'bool' }

function typeOf(dtype) {
  if (dtype.variant === 'List') return `list<${typeOf(dtype.inner[0])}>`
  if (dtype.variant === 'Datetime' && dtype.timeUnit === 'us' && dtype.timeZone === 'UTC') return 'time'
  return types[dtype.variant] ?? String(dtype)
}

// valuesOf takes whole numbers and times through text: as numbers of JavaScript, which those in lists are, they would be rounded.
function valuesOf(series, type) {
  if (type.startsWith('list')) return Array.from(series, (list) => forms(type.slice(5, -1), list))
  if (type === 'time') series = series.cast(pl.Int64)
  if (/int|time/.test(type)) series = series.cast(pl.Utf8)
  return forms(type, series.toArray())
}

function ofFrame(frame) {
  const columns = frame.columns.map((name) => {
    const series = frame.getColumn(name)
    let dtype
    try {
      dtype = series.dtype
    } catch (err) {
      if (!err.message.includes('DataType Binary is not supported')) throw err
      return { name, type: 'binary' }
    }
    const type = typeOf(dtype)
    return { name, type, values: valuesOf(series, type) }
  })
  return { rows: frame.height, columns }
}

export const parquet = (path) => ofFrame(pl.readParquet(path))
export function csv(path) {
  const frame = pl.readCSV(path, { inferSchemaLength: 0 }) // all columns as text
  return { rows: frame.height, columns: frame.columns.map((name) => ({ name, texts: frame.getColumn(name).toArray() })) }
}
export const arrow = (path) => ofFrame(pl.readIPC(readFileSync(path)))
