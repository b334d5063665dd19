// node interop/tokenizers.mjs [TOKENIZER.json…]: published tokenizers, by default some from npm, give the ids here that Hugging Face's
// own code gives, and what Anneal writes of them does so too in that code.
import { Tokenizer } from '@huggingface/tokenizers'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const here = import.meta.dirname
const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'tokenizers-'))
process.on('exit', () => fs.rmSync(tmp, { recursive: true }))
const go = (...args) => execFileSync('go', args, { cwd: path.dirname(here), encoding: 'utf8' }).trim()

const opticks = fs.readFileSync(path.join(go('env', 'GOROOT'), 'src/testdata/Isaac.Newton-Opticks.txt'), 'utf8')
const texts = [
  opticks,
  opticks.slice(0, 20000),
  'The cat\'s toys: "we\'ll see", I\'VE, they\'D, it\'S; naïve café.',
  'Größenwahn in der Straße 🌱 — 日本語の文章、한국어 문장, русский текст, ελληνικά, עברית, العربية, हिन्दी, ไทย.',
  '👩‍👩‍👧‍👦 🇩🇪 e\u0301 \u200b zero\u00adwidth \ufeff bom ﬁ Ⅷ ½ ٣٤٥ 12345678 3.14159e-10',
  '  two, three   and a trailing  ',
  '\t\ttabs\n\n\nlines\r\n\r\nmore \n \n  x\u00a0y\u3000z\u2028w\u0085v',
  ' ',
  '\n',
  '     ',
  'func main() {\n\tfmt.Println("hello, world") // 1 << 20\n}\n',
  '▁ a literal ▁▁ metaspace',
  'ĠĊ letters that stand for bytes',
  '\0\x01\x7f control',
]

// Random text by a generator of its own (mulberry32), so that each run checks the same: of characters that have been in Unicode for
// long, for which the Unicode of Node and that of Go agree.
let state = 1
function random(n) {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % n
}
const ranges = [[0x20, 0x7e], [0x20, 0x2f], [0x09, 0x0d], [0x61, 0x7a], [0xa0, 0x24f], [0x370, 0x373], [0x400, 0x4ff], [0x5d0, 0x5ea], [0x3041, 0x3096], [0x4e00, 0x9fa5], [0x1f600, 0x1f64f], [0x2000, 0x200f]]
for (let i = 0; i < 300; i++) {
  let text = ''
  for (let n = 1 + random(60); n > 0; n--) {
    const [from, to] = ranges[random(ranges.length)]
    const c = String.fromCodePoint(from + random(to - from + 1))
    text += c.repeat(random(8) === 0 ? 1 + random(9) : 1)
  }
  texts.push(text)
}

const program = path.join(tmp, 'tokenizers')
go('build', '-o', program, './interop/tokenizers')
const input = texts.map((t) => JSON.stringify(t)).join('\n')

const same = (got, want) => got.length === want.length && got.every((id, i) => id === want[i])
let failed = 0
const files = process.argv.slice(2)
if (files.length === 0) {
  for (const name of ['gpt2', 'llama2', 'llama3']) files.push(path.join(here, 'node_modules/@lenml', `tokenizer-${name}`, 'models/tokenizer.json'))
}
for (const file of files) {
  const name = file.match(/tokenizer-([^/]*)/)?.[1] ?? path.basename(file)
  const again = path.join(tmp, 'again.json')
  const ours = execFileSync(program, [file, again], { input, encoding: 'utf8', maxBuffer: 1 << 30 }).trim().split('\n').map((l) => JSON.parse(l))
  for (const [what, from] of [['published', file], ['written', again]]) {
    const theirs = new Tokenizer(JSON.parse(fs.readFileSync(from, 'utf8')), {})
    texts.forEach((text, i) => {
      if (what === 'written' && i === 0) return // once will do: JavaScript needs seconds for it
      const want = theirs.encode(text, { add_special_tokens: false }).ids
      if (!same(ours[i], want)) {
        failed++
        const at = want.findIndex((id, k) => id !== ours[i][k])
        console.error(`${name}, ${what}: ${JSON.stringify(text.slice(0, 200))} from token ${at}: ${ours[i].slice(at, at + 8)}; want ${want.slice(at, at + 8)}`)
      }
    })
  }
  const tokens = ours.reduce((n, ids) => n + ids.length, 0)
  console.log(`${name}: ${texts.length} texts, ${tokens} tokens (Opticks: ${ours[0].length}), as published and as written again`)
}
process.exit(failed > 0 ? 1 : 0)
