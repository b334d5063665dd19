// encode.cjs TEXT RANKS encodes a text with npm's tiktoken (WebAssembly), GPT-2's pattern and the vocabulary of a rank file, and prints
// what took how many seconds, as bench/bpe does.
const { readFileSync } = require("fs");
const { Tiktoken } = require("tiktoken/lite");

const [text, lines] = process.argv.slice(2).map((path) => readFileSync(path, "utf8"));
const tokens = lines.trimEnd().split("\n").map((line) => line.split(" ")[0]); // in order of rank
const pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const encoder = new Tiktoken("! 0 " + tokens.join(" "), {}, pattern);

encoder.encode_ordinary(text.slice(0, text.length / 20));
const start = performance.now();
const ids = encoder.encode_ordinary(text);
const seconds = (performance.now() - start) / 1000;

let digest = 0x811c9dc5; // FNV-1a
for (const id of ids)
  for (let shift = 0; shift < 32; shift += 8) digest = Math.imul(digest ^ ((id >>> shift) & 255), 0x01000193) >>> 0;
console.log(JSON.stringify({ seconds, ids: ids.length, digest }));
