// What the checks of this folder share: one in-memory DuckDB, and a way to fail that shows every problem.
import { DuckDBInstance } from '@duckdb/node-api'

const connection = await (await DuckDBInstance.create()).connect()

// query returns the rows of a statement as objects; BIGINTs come as bigint.
export const query = async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS()

// text quotes a string literal, name an identifier.
export const text = (s) => `'${s.replaceAll("'", "''")}'`
export const name = (s) => `"${s.replaceAll('"', '""')}"`

const problems = []
export const problem = (s) => problems.push(s)

// finish prints the problems there are and ends the process.
export function finish(passed) {
  for (const p of problems) console.error(`problem: ${p}`)
  console.log(problems.length ? `${problems.length} problems` : passed)
  process.exit(problems.length ? 1 : 0)
}
