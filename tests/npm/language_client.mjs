// A language client that we did not write, the one of VS Code (vscode-languageserver-protocol over
// vscode-jsonrpc), drives the real `lacuna lsp` with the model that ships with it through whole
// sessions. LACUNA_EXECUTABLE names the program. Every check throws; the exit code tells.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';

import { executable, kDeadline, ownFolders } from './own_folders.mjs';

const require = createRequire(import.meta.url);
let lsp;
try {
  lsp = require('vscode-languageserver-protocol/node');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.log('SKIPPED: to run this test: npm ci --prefix tests/npm');
  process.exit(0);
}

const { folder, environment } = ownFolders('client');

function step(what) {
  console.log(`- ${what}`);
}

function withDeadline(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer`)), kDeadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function until(condition, what) {
  const end = Date.now() + kDeadline;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: never`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const settings = { profile: 'fast', inlineCompletion: { minConfidence: 0 } };

const capabilities = {
  general: { positionEncodings: [lsp.PositionEncodingKind.UTF16] },
  window: { workDoneProgress: true },
  workspace: {
    applyEdit: true,
    configuration: true,
    didChangeConfiguration: { dynamicRegistration: true },
    workspaceEdit: { documentChanges: true },
    workspaceFolders: true,
  },
  textDocument: {
    inlineCompletion: { dynamicRegistration: true },
    codeAction: {
      dataSupport: true,
      resolveSupport: { properties: ['edit'] },
      codeActionLiteralSupport: { codeActionKind: { valueSet: ['quickfix', 'refactor.rewrite'] } },
    },
  },
};

class Editor {
  constructor() {
    this.process = spawn(executable, ['lsp', '--stdio'], { env: environment, cwd: folder });
    this.ended = new Promise((resolve) => this.process.on('exit', (code) => resolve(code)));
    this.stderr = '';
    this.process.stderr.on('data', (data) => (this.stderr += data));
    this.unexpected = [];
    this.configurationsAsked = 0;
    this.registered = [];
    this.progress = [];
    this.traces = [];
    this.applied = [];
    const logger = {
      error: (text) => this.unexpected.push(`error: ${text}`),
      warn: (text) => this.unexpected.push(`warning: ${text}`),
      info: () => {},
      log: () => {},
    };
    const connection = lsp.createProtocolConnection(
      new lsp.StreamMessageReader(this.process.stdout),
      new lsp.StreamMessageWriter(this.process.stdin),
      logger,
    );
    connection.onError(([error]) => this.unexpected.push(String(error)));
    connection.onUnhandledNotification((message) => this.unexpected.push(message.method));
    connection.onRequest(lsp.ConfigurationRequest.type, (params) => {
      this.configurationsAsked += 1;
      assert.deepEqual(params.items, [{ section: 'lacuna' }]);
      return [settings];
    });
    connection.onRequest(lsp.RegistrationRequest.type, (params) => {
      this.registered.push(...params.registrations.map((it) => it.method));
    });
    connection.onRequest(lsp.WorkDoneProgressCreateRequest.type, (params) => {
      connection.onProgress(lsp.WorkDoneProgress.type, params.token, (value) => this.progress.push(value));
    });
    connection.onRequest(lsp.ApplyWorkspaceEditRequest.type, (params) => {
      this.applied.push(params.edit);
      return { applied: true };
    });
    connection.onNotification(lsp.LogMessageNotification.type, (message) => {
      if (message.type <= lsp.MessageType.Warning) this.unexpected.push(message.message);
    });
    connection.listen();
    this.connection = connection;
  }

  request(type, ...params) {
    return withDeadline(this.connection.sendRequest(type, ...params), type.method ?? type);
  }

  async fails(type, params, code) {
    try {
      await this.request(type, params);
    } catch (error) {
      assert.ok(error instanceof lsp.ResponseError, String(error));
      assert.equal(error.code, code, error.message);
      return error.message;
    }
    assert.fail(`${type.method ?? type} was answered`);
  }

  async initialize() {
    const result = await this.request(lsp.InitializeRequest.type, {
      processId: process.pid,
      clientInfo: { name: 'language_client.mjs' },
      rootUri: `file://${folder}`,
      workspaceFolders: [{ uri: `file://${folder}`, name: 'w' }],
      capabilities,
    });
    await this.connection.sendNotification(lsp.InitializedNotification.type, {});
    return result;
  }

  open(uri, languageId, text) {
    return this.connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
      textDocument: { uri, languageId, version: 1, text },
    });
  }

  insert(uri, version, position, text) {
    return this.connection.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version },
      contentChanges: [{ range: { start: position, end: position }, text }],
    });
  }

  complete(uri, position, triggerKind = lsp.InlineCompletionTriggerKind.Automatic) {
    return this.request(lsp.InlineCompletionRequest.type, {
      textDocument: { uri },
      position,
      context: { triggerKind },
    });
  }

  status() {
    return this.request('lacuna/status', {});
  }

  explain() {
    return this.request(lsp.ExecuteCommandRequest.type, { command: 'lacuna.explainLast' });
  }
}

// An answer of textDocument/inlineCompletion as both real clients need it.
function checkItems(result, position, commands) {
  if (result === null) return 0;
  for (const item of result.items) {
    assert.equal(typeof item.insertText, 'string');
    assert.notEqual(item.insertText.trim(), '');
    assert.deepEqual(item.range, { start: position, end: position });
    assert.ok(commands.includes(item.command.command));
  }
  return result.items.length;
}

async function suggestions(editor, commands) {
  step('suggestions are insertions at the cursor, or null with a reason');
  const uri = `file://${folder}/shapes.py`;
  const lines = [
    'import math',
    'class Circle:',
    '    def __init__(self, radius):',
    '        self.radius = ',
    '    def area(self):',
    '        return ',
    'for number in range(10):',
    '    print(',
    'total = sum(',
    'names = ["\u{1F600}", "\u6F22"] + ',
  ];
  await editor.open(uri, 'python', `${lines.join('\n')}\n`);
  let shown = 0;
  for (const [line, text] of lines.entries()) {
    const position = { line, character: text.length }; // in UTF-16 units, as JavaScript counts
    const items = checkItems(await editor.complete(uri, position), position, commands);
    const why = await editor.explain();
    assert.equal(why.shown, items > 0, why.outcome);
    assert.equal(why.uri, uri);
    shown += items;
  }
  assert.ok(shown > 0, 'not one suggestion was shown');

  step('asking by command gives several');
  const position = { line: 5, character: lines[5].length };
  const invoked = await editor.complete(uri, position, lsp.InlineCompletionTriggerKind.Invoked);
  checkItems(invoked, position, commands);
  if (invoked !== null) {
    assert.equal(new Set(invoked.items.map((item) => item.insertText)).size, invoked.items.length);
  }

  step('a change answers an open suggestion with null');
  const open = editor.complete(uri, { line: 3, character: 13 }); // not asked before
  await editor.insert(uri, 2, { line: 8, character: 12 }, 'q');
  assert.equal(await open, null);

  step('what was typed of a suggestion is answered from the cache');
  for (const [line, text] of lines.entries()) {
    const at = { line, character: text.length };
    if (line === 8) continue;
    const result = await editor.complete(uri, at);
    const first = result?.items[0].insertText;
    if (first === undefined || first.length < 2) continue;
    await editor.insert(uri, 3 + line, at, first[0]);
    const after = { line, character: at.character + 1 };
    const rest = await editor.complete(uri, after);
    assert.equal(rest.items[0].insertText, first.slice(1));
    assert.equal((await editor.explain()).source, 'cache');
    return;
  }
  assert.fail('no suggestion of two characters was found to type through');
}

async function fills(editor) {
  step('lacuna/fill fills all holes, and tells every step');
  const uri = `file://${folder}/holes.py`;
  const text = 'def add(a, b):\n    return \u27E6?\u27E7\n\n\nprint(add(\u27E6?\u27E7, 2))\n';
  await editor.open(uri, 'python', text);
  const steps = [];
  const type = new lsp.ProgressType();
  const listening = editor.connection.onProgress(type, 'steps', (value) => steps.push(value));
  const filled = await editor.request('lacuna/fill', {
    textDocument: { uri, version: 1 },
    maxTokens: 8,
    partialResultToken: 'steps',
  });
  listening.dispose();
  assert.equal(filled.version, 1);
  assert.equal(filled.holes.length, 2);
  assert.ok(steps.length > 0);
  assert.equal(steps.at(-1).masksLeft, 0);
  const edits = filled.edit.documentChanges[0];
  assert.deepEqual(edits.textDocument, { uri, version: 1 });
  const written = filled.holes.filter((hole) => !hole.withheld);
  assert.deepEqual(edits.edits, written.map(({ range, newText }) => ({ range, newText })));
  for (const hole of filled.holes) {
    assert.ok(['parses', 'no worse', 'withheld', 'unchecked'].includes(hole.syntax), hole.syntax);
    assert.equal(hole.withheld, hole.syntax === 'withheld');
    if (hole.withheld) assert.ok(hole.reason && filled.problem);
  }

  step('a cancelled fill is answered as cancelled, and the engine lets go');
  const cancellation = new lsp.CancellationTokenSource();
  const long = editor.request('lacuna/fill', { textDocument: { uri }, maxTokens: 256 }, cancellation.token);
  const cancelled = assert.rejects(long, (error) => error.code === lsp.LSPErrorCodes.RequestCancelled);
  await until(async () => (await editor.status()).queue.running === 1, 'the fill runs');
  cancellation.cancel();
  await cancelled;
  await until(async () => (await editor.status()).queue.running === 0, 'the engine is idle');

  step('a fill of a text that changes is refused');
  const stale = editor.request('lacuna/fill', { textDocument: { uri } });
  const refused = assert.rejects(stale, (error) => error.code === lsp.LSPErrorCodes.ContentModified);
  await editor.insert(uri, 2, { line: 2, character: 0 }, '#');
  await refused;

  step('a code action is listed at once and filled when it is resolved');
  const hole = { line: 1, character: 12 };
  const actions = await editor.request(lsp.CodeActionRequest.type, {
    textDocument: { uri },
    range: { start: hole, end: hole },
    context: { diagnostics: [] },
  });
  const action = actions.find((it) => it.title === 'Fill this hole');
  assert.equal(action.kind, lsp.CodeActionKind.QuickFix);
  assert.equal(action.edit, undefined);
  try {
    const resolved = await editor.request(lsp.CodeActionResolveRequest.type, action);
    assert.equal(resolved.edit.documentChanges[0].textDocument.version, 2);
    assert.equal(resolved.edit.documentChanges[0].edits.length, 1);
  } catch (error) {
    // So small a model may find nothing that parses; then that is what is told.
    assert.equal(error.code, lsp.LSPErrorCodes.RequestFailed);
    assert.match(error.message, /left as it was/);
  }

  step('a command applies its edit through the client');
  try {
    const result = await editor.request(lsp.ExecuteCommandRequest.type, {
      command: 'lacuna.fillHoles',
      arguments: [{ uri, version: 2, what: 'all' }],
    });
    assert.equal(result.applied, true);
    assert.equal(editor.applied.length, 1);
    assert.equal(editor.applied[0].documentChanges[0].textDocument.version, 2);
  } catch (error) {
    assert.equal(error.code, lsp.LSPErrorCodes.RequestFailed, error.message);
    assert.match(error.message, /left as they were/);
  }
  await editor.connection.sendNotification(lsp.DidCloseTextDocumentNotification.type, { textDocument: { uri } });
  await editor.fails('lacuna/fill', { textDocument: { uri } }, lsp.ErrorCodes.InvalidParams);
}

let daemon = 0; // its process, to be ended when a check has failed

async function wholeSession() {
  const editor = new Editor();
  step('a request before initialize is an error');
  await editor.fails('lacuna/status', {}, lsp.ErrorCodes.ServerNotInitialized);

  step('initialize');
  const { capabilities: server, serverInfo } = await editor.initialize();
  assert.equal(serverInfo.name, 'lacuna');
  assert.equal(server.positionEncoding, lsp.PositionEncodingKind.UTF16);
  assert.equal(server.textDocumentSync.change, lsp.TextDocumentSyncKind.Incremental);
  assert.ok(server.inlineCompletionProvider);
  assert.ok(server.codeActionProvider.resolveProvider);
  await editor.fails(lsp.InitializeRequest.type, { processId: null, rootUri: null, capabilities: {} }, lsp.ErrorCodes.InvalidRequest);

  daemon = (await editor.status()).processId;

  step('settings are asked for, and again when they have changed');
  await until(() => editor.configurationsAsked === 1, 'configuration');
  assert.deepEqual(editor.registered, ['workspace/didChangeConfiguration']);
  await editor.connection.sendNotification(lsp.DidChangeConfigurationNotification.type, { settings: null });
  await until(() => editor.configurationsAsked === 2, 'configuration after a change');

  await suggestions(editor, server.executeCommandProvider.commands);
  step('the progress of loading the model ended if it began');
  // A model may be there before the client has agreed to see progress.
  const kinds = editor.progress.map((it) => it.kind);
  assert.match(kinds.join(), /^(|begin(,report)*,end)$/);
  await fills(editor);

  step('trace');
  // The library's tracer is told of its own messages, too; ours say how long a request took.
  const tracer = { log: (text) => editor.traces.push(text) };
  await editor.connection.trace(lsp.Trace.Messages, tracer, { sendNotification: true });
  await editor.status();
  await until(() => editor.traces.some((text) => /^lacuna\/status took [\d.]+ ms$/.test(text)), 'a trace');
  await editor.connection.trace(lsp.Trace.Off, tracer, { sendNotification: true });

  step('unknown methods');
  await editor.fails('lacuna/unknown', {}, lsp.ErrorCodes.MethodNotFound);
  await editor.fails(lsp.ExecuteCommandRequest.type, { command: 'unknown' }, lsp.ErrorCodes.InvalidParams);

  step('a second editor shares the daemon; exit without shutdown is exit code 1');
  const second = new Editor();
  await second.initialize();
  const status = await second.status();
  daemon = status.processId;
  assert.equal(status.processId, (await editor.status()).processId);
  assert.equal(status.sessions, 2);
  assert.equal(status.model.phase, 'ready');
  await second.connection.sendNotification(lsp.ExitNotification.type);
  assert.equal(await withDeadline(second.ended, 'the end of the second editor'), 1);
  await until(async () => (await editor.status()).sessions === 1, 'the end of the second session');

  step('after shutdown requests are errors; exit is then exit code 0');
  assert.equal(await editor.request(lsp.ShutdownRequest.type), null);
  await editor.fails('lacuna/status', {}, lsp.ErrorCodes.InvalidRequest);
  await editor.connection.sendNotification(lsp.ExitNotification.type);
  assert.equal(await withDeadline(editor.ended, 'the end of the editor'), 0);
  for (const it of [editor, second]) {
    assert.deepEqual(it.unexpected, []);
    assert.equal(it.stderr, '');
  }
}

async function endDaemon() {
  step('a command ends the daemon');
  const editor = new Editor();
  await editor.initialize();
  const { processId } = await editor.status();
  assert.equal(processId, daemon);
  await editor.request(lsp.ExecuteCommandRequest.type, { command: 'lacuna.shutdownDaemon' });
  await editor.connection.sendNotification(lsp.ExitNotification.type);
  await editor.ended;
  await until(() => {
    try {
      process.kill(processId, 0);
      return false;
    } catch {
      return true;
    }
  }, 'the end of the daemon');
  daemon = 0;
}

try {
  await wholeSession();
  await endDaemon();
  console.log('passed');
} finally {
  if (daemon !== 0) process.kill(daemon, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
