// The autocompletion of Continue, unmodified, asks the HTTP side of the real `lacuna serve`, once in
// each protocol that it can speak to such a server. As in Continue's extension it is bundled, and its
// cache has no database here. LACUNA_EXECUTABLE names the program. Every check throws.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { executable, freePort, kDeadline, ownFolders } from '../own_folders.mjs';

const require = createRequire(import.meta.url);
let esbuild;
try {
  require.resolve('@continuedev/core/package.json');
  esbuild = require('esbuild');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.log('SKIPPED: to run this test (800 MB): npm install --prefix tests/npm/continue');
  process.exit(0);
}

const { folder, environment } = ownFolders('continue');

const base = `http://127.0.0.1:${await freePort()}`;
const server = spawn(executable, ['serve', '--http', base.slice('http://'.length)], {
  env: environment,
  stdio: 'ignore',
});
process.on('exit', () => {
  server.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
setTimeout(() => {
  console.log('no answer');
  process.exit(1);
}, 4 * kDeadline).unref();
while (!(await fetch(`${base}/health`).then((answer) => answer.ok, () => false))) {
  assert.equal(server.exitCode, null, 'the server has ended');
  await new Promise((resolve) => setTimeout(resolve, 20));
}

// What Continue's own packaging puts beside the bundle.
const bundle = join(folder, 'bundle.cjs');
const wasms = dirname(require.resolve('tree-sitter-wasms/out/tree-sitter-python.wasm'));
cpSync(wasms, join(folder, 'tree-sitter-wasms'), { recursive: true });
cpSync(require.resolve('web-tree-sitter/tree-sitter.wasm'), join(folder, 'tree-sitter.wasm'));
const entry = `
export { CompletionProvider } from '@continuedev/core/dist/autocomplete/CompletionProvider.js';
export { default as LlamaCpp } from '@continuedev/core/dist/llm/llms/LlamaCpp.js';
export { default as Mistral } from '@continuedev/core/dist/llm/llms/Mistral.js';
export { default as Ollama } from '@continuedev/core/dist/llm/llms/Ollama.js';
export { default as OpenAI } from '@continuedev/core/dist/llm/llms/OpenAI.js';
`;
const noDatabase = join(folder, 'no_database.cjs');
writeFileSync(
  noDatabase,
  `class Database {
  constructor(...args) { setImmediate(args.at(-1), null); }
  exec(_, done) { done.call(this, null); }
  run(_, ...args) { args.at(-1).call({ lastID: 0, changes: 0 }, null); }
  get(_, ...args) { args.at(-1)(null, undefined); }
  all(_, ...args) { args.at(-1)(null, []); }
}
module.exports = { Database, OPEN_READWRITE: 2, OPEN_CREATE: 4 };
`,
);
await esbuild.build({
  stdin: { contents: entry, resolveDir: dirname(fileURLToPath(import.meta.url)) },
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  loader: { '.node': 'empty' },
  alias: { sqlite3: noDatabase },
  external: ['onnxruntime-node', 'sharp', 'vectordb', '@lancedb/*', 'jsdom'],
  define: { 'import.meta.url': JSON.stringify(`file://${bundle}`) },
  logLevel: 'error',
});
process.env.HOME = folder;
process.env.CONTINUE_GLOBAL_DIR = join(folder, 'continue');
const { CompletionProvider, LlamaCpp, Mistral, Ollama, OpenAI } = require(bundle);

// An editor with one file.
const text = 'def add(a, b):\n    return \n\nprint(add(1, 2))\n';
const filepath = `file://${folder}/shapes.py`;
const ide = {
  fileExists: async () => true,
  getBranch: async () => 'main',
  getClipboardContent: async () => ({ text: '', copiedAt: new Date(0).toISOString() }),
  getCurrentFile: async () => ({ path: filepath, contents: text, isUntitled: false }),
  getDiff: async () => [],
  getIdeInfo: async () => ({ ideType: 'vscode', name: 'test', version: '1', remoteName: 'local', extensionVersion: '1' }),
  getIdeSettings: async () => ({}),
  getOpenFiles: async () => [filepath],
  getRepoName: async () => undefined,
  getUniqueId: async () => 'test',
  getWorkspaceDirs: async () => [`file://${folder}`],
  isTelemetryEnabled: async () => false,
  onDidChangeActiveTextEditor() {},
  readFile: async () => text,
};
const config = { loadConfig: async () => ({ config: { tabAutocompleteOptions: { debounceDelay: 1, useCache: false } } }) };

async function requestsTo(route) {
  const metrics = await (await fetch(`${base}/metrics`)).text();
  const line = metrics.split('\n').find((it) => it.startsWith(`lacuna_http_requests_total{route="${route}",status="200"} `));
  return line === undefined ? 0 : Number(line.split(' ').at(-1));
}

const models = [
  ['/completion', new LlamaCpp({ model: 'qwen2.5-coder', apiBase: `${base}/` })],
  ['/api/generate', new Ollama({ model: 'qwen2.5-coder', apiBase: `${base}/` })],
  ['/v1/fim/completions', new Mistral({ model: 'codestral-latest', apiKey: 'none', apiBase: `${base}/v1/` })],
  ['/v1/completions', new OpenAI({ model: 'starcoder', apiKey: 'none', apiBase: `${base}/v1/` })],
];
for (const [route, model] of models) {
  const errors = [];
  const provider = new CompletionProvider(config, ide, async () => model, (error) => errors.push(error), async () => []);
  const before = await requestsTo(route);
  const outcome = await provider.provideInlineCompletionItems({
    completionId: route,
    filepath,
    isUntitledFile: false,
    pos: { line: 1, character: '    return '.length },
    recentlyEditedFiles: [],
    recentlyEditedRanges: [],
    recentlyVisitedRanges: [],
  });
  console.log(`- ${route}: ${JSON.stringify(outcome?.completion)}`);
  assert.deepEqual(errors, []);
  assert.ok(outcome.completion.trim().length > 0);
  assert.equal(await requestsTo(route), before + 1);
}
console.log('passed');
process.exit(0);
