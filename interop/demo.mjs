// node interop/demo.mjs RESULTS TOKENS
//
// Checks what the demo promises: that its models learn. RESULTS is results/demo, TOKENS the folder that
// `anneal export demo/tokenize.bytes` leaves.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { finish, problem, query, text } from './tables.mjs'

const [results, tokens] = process.argv.slice(2)
if (!tokens) {
  console.error('usage: node demo.mjs RESULTS TOKENS')
  process.exit(2)
}
const table = (name) => `read_parquet(${text(join(results, name + '.parquet'))})`

// The best that a model can do which knows how often each byte occurs, and no context: the entropy in nats.
const ids = tableFromIPC(readFileSync(join(tokens, 'tokenize.bytes.held_out', 'ids.arrow'))).getChildAt(0)
const counts = new Map()
for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
let entropy = 0
for (const n of counts.values()) entropy -= (n / ids.length) * Math.log(n / ids.length)
console.log(`byte unigrams: ${entropy.toFixed(4)} nats over ${ids.length} bytes of validation text`)

const losses = await query(`select weight_decay, seed, validation_loss from ${table('loss')} order by all`)
const decays = new Set(losses.map((l) => l.weight_decay))
if (decays.size < 3 || !decays.has(0) || !decays.has(1)) problem(`weight decays are ${[...decays]}, want three at least, with 0 and 1`)
for (const l of losses) {
  console.log(`weight decay ${l.weight_decay}, seed ${l.seed}: validation loss ${l.validation_loss.toFixed(4)}`)
  // 0.7: less than one or two letters of context leave in English, 0.86 and 0.80 of it (Shannon 1951).
  if (!(l.validation_loss < 0.7 * entropy)) problem(`loss ${l.validation_loss} is not well under the entropy of byte unigrams, ${entropy}`)
}

const scores = await query(`
  select task, weight_decay, seed, b.accuracy as before, a.accuracy as after, b.response_loss as loss_before,
         a.response_loss as loss_after, sqrt(a.accuracy_se ^ 2 + b.accuracy_se ^ 2) as se
  from ${table('after')} a full join ${table('before')} b using (task, weight_decay, seed) order by all`)
const tasks = new Set(scores.map((s) => s.task))
if (tasks.size < 2 || scores.length !== tasks.size * losses.length) problem(`${scores.length} scores of ${tasks.size} tasks and ${losses.length} models`)
for (const s of scores) {
  console.log(`${s.task}, weight decay ${s.weight_decay}, seed ${s.seed}: accuracy ${s.before} → ${s.after}, response loss ${s.loss_before?.toFixed(3)} → ${s.loss_after?.toFixed(3)}`)
  if (!(s.after - s.before > Math.max(0.2, 4 * s.se))) problem(`${s.task}: fine-tuning does not lift accuracy far: ${s.before} → ${s.after}`)
  if (!(s.loss_after < s.loss_before / 2)) problem(`${s.task}: fine-tuning does not halve the response loss: ${s.loss_before} → ${s.loss_after}`)
}
finish('the demo learns')
