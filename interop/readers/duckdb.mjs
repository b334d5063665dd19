import { DuckDBInstance } from '@duckdb/node-api'
import { forms } from './values.mjs'

export const name = 'DuckDB'
export const untold = ['mark']

const connection = await (await DuckDBInstance.create()).connect()
const text = (s) => `'${s.replaceAll("'", "''")}'`
const rows = async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS()

const types = { BIGINT: 'int64', DOUBLE: 'float64', VARCHAR: 'string', BLOB: 'binary', BOOLEAN: 'bool', 'TIMESTAMP WITH TIME ZONE': 'time' }

// plain takes blobs and times out of DuckDB's own classes.
const plain = (v) => v?.bytes ?? v?.micros ?? v

export async function csv(path) {
  const all = await connection.runAndReadAll(`from read_csv(${text(path)}, header = true, all_varchar = true, max_line_size = 4000000)`)
  const values = all.getColumns()
  return { rows: all.currentRowCount, columns: all.columnNames().map((name, i) => ({ name, texts: values[i] ?? [] })) }
}

export async function parquet(path) {
  const optional = new Map((await rows(`select name, repetition_type from parquet_schema(${text(path)})`)).map((c) => [c.name, c.repetition_type === 'OPTIONAL']))
  const metadata = new Map((await rows(`select decode(key) as key, decode(value) as value from parquet_kv_metadata(${text(path)})`)).map((m) => [m.key, m.value]))
  const all = await connection.runAndReadAll(`from read_parquet(${text(path)}, hive_partitioning = false)`)
  const values = all.getColumns()
  const columns = all.columnNames().map((name, i) => {
    const type = types[all.columnType(i)] ?? String(all.columnType(i))
    return { name, type, optional: optional.get(name), values: forms(type, (values[i] ?? []).map(plain)) }
  })
  return { rows: all.currentRowCount, columns, metadata }
}
