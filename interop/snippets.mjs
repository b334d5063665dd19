// node interop/snippets.mjs PAGE DIR [--write]
//
// Runs the programs of a page of docs/ in their order, in the folder DIR, and compares what each prints with the block ```text that follows it. A
// program without such a block must only succeed. With --write it puts what was printed into the page instead. `anneal` must be on PATH.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [page, dir, write] = process.argv.slice(2)
if (!dir) {
  console.error('usage: node snippets.mjs PAGE DIR [--write]')
  process.exit(2)
}
const here = import.meta.dirname
const work = mkdtempSync(join(tmpdir(), 'anneal-snippets-'))
const modules = join(dir, 'node_modules')
if (!existsSync(modules)) symlinkSync(join(here, 'node_modules'), modules)

function run(command, args, options) {
  const p = spawnSync(command, args, { cwd: dir, encoding: 'utf8', ...options })
  if (p.error || p.status !== 0) throw new Error(`${command} ended with ${p.error ?? p.status}:\n${p.stdout}${p.stderr}`)
  return p.stdout
}

// How the programs of a language run.
const languages = {
  sh: (code) => run('bash', ['-e'], { input: code }),
  sql: (code) => run('node', [join(here, 'sql.mjs'), code]),
  python: (code) => run('/usr/bin/python3', ['-'], { input: code }),
  js: (code) => run('node', ['--input-type=module', '-'], { input: code }),
  go(code) {
    writeFileSync(join(work, 'main.go'), code)
    run('go', ['build', '-o', join(work, 'main'), join(work, 'main.go')], { cwd: join(here, 'readers') })
    return run(join(work, 'main'), [])
  },
}

let problems = 0
let compared = 0
const text = readFileSync(page, 'utf8').replace(/^```(\w+)\n([^]*?)^```\n(\n```text\n([^]*?)^```\n)?/gm, (block, language, code, output, want) => {
  const title = `${page}: ${language}: ${code.trimEnd().split('\n').at(-1)}`
  let have
  try {
    if (!languages[language]) throw new Error('no such language')
    have = languages[language](code).replace(/ +$/gm, '')
  } catch (err) {
    console.error(`problem: ${title}\n${err.message}`)
    problems++
    return block
  }
  if (output === undefined) return block
  compared++
  if (write) return block.slice(0, -output.length) + `\n\`\`\`text\n${have}\`\`\`\n`
  if (have !== want) {
    console.error(`problem: ${title}\nprints\n${have}where the page has\n${want}`)
    problems++
  }
  return block
})
rmSync(work, { recursive: true })
if (write) writeFileSync(page, text)
if (compared === 0) problems++
console.log(problems ? `${problems} problems` : `${page}: ${compared} programs print what it shows`)
process.exit(problems ? 1 : 0)
