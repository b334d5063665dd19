import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { forms } from './values.mjs'

export const name = 'hyparquet'
export const untold = ['mark']

// A Date has no microseconds: the parser leaves the number that the file has.
const parsers = { ...DEFAULT_PARSERS, timestampFromMicroseconds: (v) => v }

function typeName({ type, logical_type: logical }) {
  if (type === 'INT64') return logical?.type === 'TIMESTAMP' && logical.unit === 'MICROS' && logical.isAdjustedToUTC ? 'time' : 'int64'
  if (type === 'BYTE_ARRAY') return logical?.type === 'STRING' ? 'string' : 'binary'
  return { DOUBLE: 'float64', BOOLEAN: 'bool' }[type] ?? type
}

export async function parquet(path) {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const objects = await parquetReadObjects({ file, metadata, compressors, parsers, utf8: false }) // bytes without a type are bytes
  const columns = metadata.schema.slice(1).map((c) => {
    const type = typeName(c)
    return { name: c.name, type, optional: c.repetition_type === 'OPTIONAL', values: forms(type, objects.map((o) => o[c.name])) }
  })
  return { rows: Number(metadata.num_rows), columns, metadata: new Map((metadata.key_value_metadata ?? []).map((m) => [m.key, m.value])) }
}
