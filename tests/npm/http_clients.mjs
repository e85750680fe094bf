// Clients that we did not write, unmodified, ask the HTTP side of the real `lacuna serve`, with the
// model that ships with it: the libraries of OpenAI, Mistral and Ollama, and Tabby's agent, which is
// what Tabby's plugins run. LACUNA_EXECUTABLE names the program. Every check throws; the exit code tells.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { executable, freePort, kDeadline, ownFolders } from './own_folders.mjs';

const require = createRequire(import.meta.url);
let OpenAI, Mistral, Ollama, lsp, tabby;
try {
  OpenAI = require('openai').OpenAI;
  lsp = require('vscode-languageserver-protocol/node');
  tabby = join(require.resolve('tabby-agent'), '..', 'cli.js');
  ({ Mistral } = await import('@mistralai/mistralai'));
  ({ Ollama } = await import('ollama'));
} catch (error) {
  if (!/MODULE_NOT_FOUND/.test(error.code)) throw error;
  console.log('SKIPPED: to run this test: npm ci --prefix tests/npm');
  process.exit(0);
}

const { folder, environment } = ownFolders('http_clients');

const kPrefix = 'def add(a, b):\n    return ';
const kSuffix = '\n\nprint(add(1, 2))\n';
const kToken = 'a secret of this test';
const children = [];

function step(what) {
  console.log(`- ${what}`);
}

async function until(condition, what) {
  const end = Date.now() + kDeadline;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: never`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function serve() {
  const base = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(executable, ['serve', '--http', base.slice('http://'.length)], {
    env: { ...environment, LACUNA_HTTP_TOKEN: kToken },
    stdio: 'ignore',
  });
  children.push(child);
  await until(async () => {
    assert.equal(child.exitCode, null, 'the server has ended');
    return fetch(`${base}/health`).then((answer) => answer.ok, () => false);
  }, 'the server listens');
  return base;
}

async function metric(base, name) {
  const answer = await fetch(`${base}/metrics`, { headers: { Authorization: `Bearer ${kToken}` } });
  const line = (await answer.text()).split('\n').find((it) => it.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

async function openai(base) {
  step('openai: a completion with a suffix, whole and as a stream, and the models');
  const client = new OpenAI({ apiKey: kToken, baseURL: `${base}/v1` });
  const request = { model: 'any', prompt: `# language: python\n${kPrefix}`, suffix: kSuffix, max_tokens: 16 };
  const whole = await client.completions.create(request);
  assert.equal(whole.object, 'text_completion');
  assert.ok(whole.usage.completion_tokens > 0);
  assert.ok(whole.choices[0].text.length > 0);
  let text = '';
  for await (const part of await client.completions.create({ ...request, stream: true })) text += part.choices[0].text;
  assert.equal(text, whole.choices[0].text);
  assert.deepEqual((await client.models.list()).data.map((it) => it.id), ['lacuna-small']);

  step('openai: errors are the exceptions of the library');
  const stranger = new OpenAI({ apiKey: 'wrong', baseURL: `${base}/v1` });
  await assert.rejects(stranger.completions.create(request), OpenAI.AuthenticationError);
  await assert.rejects(client.completions.create({ ...request, prompt: 1 }), OpenAI.BadRequestError);
  const chat = { model: 'any', messages: [{ role: 'user', content: 'hello' }] };
  await assert.rejects(client.chat.completions.create(chat, { maxRetries: 0 }), (error) => error.status === 501);

  step('openai: a request that is aborted stops the work');
  const gone = (await metric(base, 'lacuna_http_clients_gone_total')) ?? 0;
  const controller = new AbortController();
  const long = client.completions.create(
    { ...request, prompt: 'x = 1\n'.repeat(60), n: 8, max_tokens: 256 },
    { signal: controller.signal, maxRetries: 0 },
  );
  const aborted = assert.rejects(long, OpenAI.APIUserAbortError);
  await until(async () => (await metric(base, 'lacuna_fills_running')) === 1, 'the fill runs');
  controller.abort();
  await aborted;
  await until(async () => (await metric(base, 'lacuna_fills_running')) === 0, 'the engine is idle');
  assert.equal(await metric(base, 'lacuna_http_clients_gone_total'), gone + 1);
}

async function mistral(base) {
  step('@mistralai/mistralai: fim.complete and fim.stream');
  const client = new Mistral({ apiKey: kToken, serverURL: base });
  const request = { model: 'codestral-latest', prompt: kPrefix, suffix: kSuffix, maxTokens: 16 };
  const whole = await client.fim.complete(request);
  const { message, finishReason } = whole.choices[0];
  assert.ok(message.content.length > 0);
  assert.equal(finishReason, 'stop');
  let text = '';
  for await (const event of await client.fim.stream(request)) text += event.data.choices[0].delta.content;
  assert.equal(text, message.content);
}

async function ollama(base) {
  step('ollama: generate with a suffix, whole and as a stream, show, list, ps, version');
  const client = new Ollama({ host: base, headers: { Authorization: `Bearer ${kToken}` } });
  const request = { model: 'lacuna', prompt: kPrefix, suffix: kSuffix, options: { num_predict: 16 } };
  const whole = await client.generate(request);
  assert.ok(whole.done && whole.response.length > 0 && whole.eval_count > 0);
  let text = '';
  for await (const part of await client.generate({ ...request, stream: true })) text += part.response;
  assert.equal(text, whole.response);
  assert.match((await client.show({ model: 'lacuna' })).template, /\.Suffix/); // what makes Continue send suffixes
  assert.deepEqual((await client.list()).models.map((it) => it.name), ['lacuna-small']);
  assert.deepEqual((await client.ps()).models.map((it) => it.name), ['lacuna-small']);
  assert.match((await client.version()).version, /^\d/);
}

async function tabbyAgent(base) {
  step("tabby-agent: an editor's session over its language server");
  const home = join(folder, 'tabby');
  mkdirSync(join(home, '.tabby-client/agent'), { recursive: true });
  writeFileSync(
    join(home, '.tabby-client/agent/config.toml'),
    `[server]\nendpoint = "${base}"\ntoken = "${kToken}"\n[anonymousUsageTracking]\ndisable = true\n`,
  );
  const child = spawn(process.execPath, [tabby, '--lsp', '--stdio'], {
    env: { PATH: process.env.PATH, HOME: home },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  children.push(child);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const connection = lsp.createProtocolConnection(
    new lsp.StreamMessageReader(child.stdout),
    new lsp.StreamMessageWriter(child.stdin),
  );
  connection.listen();
  await connection.sendRequest(lsp.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    capabilities: { textDocument: { completion: {} } },
  });
  await connection.sendNotification(lsp.InitializedNotification.type, {});
  const uri = `file://${folder}/shapes.py`;
  const text = kPrefix + kSuffix;
  await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: 'python', version: 1, text },
  });
  const position = { line: 1, character: '    return '.length };
  const asked = { textDocument: { uri }, position, context: { triggerKind: lsp.CompletionTriggerKind.Invoked } };
  const before = (await metric(base, 'lacuna_http_requests_total{route="/v1/completions",status="200"}')) ?? 0;
  const list = await connection.sendRequest(lsp.CompletionRequest.type, asked);
  assert.equal(list.items.length, 1);
  assert.deepEqual(list.items[0].textEdit.range, { start: position, end: position });
  assert.ok(list.items[0].textEdit.newText.length > 0);
  assert.match(list.items[0].data.completionId, /^cmpl-/);
  assert.equal(await metric(base, 'lacuna_http_requests_total{route="/v1/completions",status="200"}'), before + 1);
  assert.ok((await metric(base, 'lacuna_http_requests_total{route="/v1/health",status="200"}')) > 0);
  await connection.sendRequest(lsp.ShutdownRequest.type);
  await connection.sendNotification(lsp.ExitNotification.type);
  await ended;
}

const deadline = setTimeout(() => {
  console.log('no answer');
  process.exit(1);
}, 4 * kDeadline);
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
const base = await serve();
await openai(base);
await mistral(base);
await ollama(base);
await tabbyAgent(base);
clearTimeout(deadline);
console.log('passed');
process.exit(0);
