// learn.cjs TEXT learns 30,000 tokens, its only size from JavaScript, with Hugging Face's tokenizers (Rust), and prints the seconds.
const { BPE, Tokenizer, byteLevelPreTokenizer } = require("tokenizers");

const tokenizer = new Tokenizer(BPE.empty());
tokenizer.setPreTokenizer(byteLevelPreTokenizer(false));
const start = performance.now();
tokenizer.train([process.argv[2]]);
console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, ids: tokenizer.getVocabSize() }));
