// node interop/runs.mjs DIR
//
// Opens what `anneal export --runs --to DIR` wrote with DuckDB and checks what a query over it relies on: the types that
// docs/artifacts.md promises, and that runs, steps, coordinates, configuration and metrics join without loss.
import { join } from 'node:path'
import { finish, problem, query, text } from './tables.mjs'

const [dir] = process.argv.slice(2)
if (!dir) {
  console.error('usage: node runs.mjs DIR')
  process.exit(2)
}
const V = 'VARCHAR', D = 'DOUBLE', N = 'BIGINT'
const promised = {
  runs: {
    run: V, pipeline: V, name: V, note: V, started: 'TIMESTAMP WITH TIME ZONE', seconds: D, finished: 'BOOLEAN', ran: N, cached: N, failed: N, skipped: N,
    command: V, variables: V, anneal: V, revision: V, go: V, platform: V,
  },
  steps: { run: V, pipeline: V, addr: V, kind: V, block: V, outcome: V, seconds: D, key: V, why: V, text: V },
  coordinates: { addr: V, name: V, number: D, text: V },
  configuration: { key: V, kind: V, name: V, value: V, number: D },
  metrics: { key: V, output: V, row: N, step: N, name: V, value: D, text: V },
}
for (const [table, columns] of Object.entries(promised)) {
  await query(`create view ${table} as from read_parquet(${text(join(dir, table + '.parquet'))})`)
  const have = Object.fromEntries((await query(`describe ${table}`)).map((c) => [c.column_name, c.column_type]))
  if (JSON.stringify(have) !== JSON.stringify(columns)) problem(`${table} has ${JSON.stringify(have)}, want ${JSON.stringify(columns)}`)
  const [{ n }] = await query(`select count(*) as n from ${table}`)
  console.log(`${table}: ${n} rows`)
  if (n === 0n) problem(`${table} has no rows`)
}

// none demands that a query finds nothing.
async function none(what, sql) {
  const rows = await query(sql)
  if (rows.length) problem(`${what}: ${rows.length}, such as ${JSON.stringify(rows[0], (_, v) => (typeof v === 'bigint' ? String(v) : v))}`)
}
await none('two runs of one id', 'select run from runs group by run having count(*) > 1')
await none('an address twice in a run', 'select run, addr from steps group by all having count(*) > 1')
await none('steps of no run', 'select * from steps anti join runs using (run, pipeline)')
await none('runs whose counts are not those of their steps', `
  select run, outcome, n from (unpivot runs on ran, cached, failed, skipped into name outcome value told)
  left join (select run, outcome, count(*) as n from steps group by all) using (run, outcome) where told <> coalesce(n, 0)`)
await none('unknown outcomes', `select * from steps where outcome not in ('ran', 'cached', 'failed', 'skipped', 'unfinished')`)
await none('steps that ended well without a result', `select * from steps anti join configuration using (key) where outcome in ('ran', 'cached')`)
await none('coordinates that an address does not have', 'select * from coordinates where not contains(addr, name || \'=\')')
await none('addresses without their coordinates', `select * from steps anti join coordinates using (addr) where contains(addr, '[')`)
await none('coordinates of no step', 'select * from coordinates anti join steps using (addr)')
await none('metrics of no result', 'select * from metrics anti join configuration using (key)')
await none('cells twice', 'select key, output, row, name from metrics group by all having count(*) > 1')
await none('metrics that are neither a finite number nor a text', 'select * from metrics where isfinite(value) is not true and text is null')
await none('kinds that are not those of the facts', `select * from steps join configuration c using (key) where c.kind = 'kind' and c.name <> steps.kind`)
const [{ version }] = await query('select version() as version')
finish(`DuckDB ${version} joins the tables of all runs`)
