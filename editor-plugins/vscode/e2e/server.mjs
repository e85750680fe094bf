// A language server for the test in a real editor: suggests at the cursor, fills `⟦?⟧`, writes every message down.
//   node server.mjs LOG     a fill stands still, half denoised, as long as there is no file LOG.go
import { appendFileSync, existsSync } from 'node:fs';

const [log] = process.argv.slice(2);
const documents = new Map();
const open = new Map();

function send(message) {
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
  process.stdout.write(`Content-Length: ${body.length}\r\n\r\n`);
  process.stdout.write(body);
}

function marked(uri) {
  const holes = [];
  documents.get(uri).text.split('\n').forEach((text, line) => {
    for (const match of text.matchAll(/⟦\?⟧/g)) {
      holes.push({ range: { start: { line, character: match.index }, end: { line, character: match.index + 3 } } });
    }
  });
  return holes;
}

function fill(params, reply) {
  const { uri, version } = params.textDocument;
  const holes = params.what === 'selection' ? [{ range: params.range }] : marked(uri);
  const total = 3;
  const step = (number) => {
    const value = {
      step: number, steps: total, masksLeft: (total - number) * holes.length, masksTotal: total * holes.length,
      holes: holes.map((hole, index) => ({
        hole: index, range: hole.range,
        tokens: [{ text: 'fill', probability: 0.95 }, number > 0 ? { text: ` ${index} `, probability: 0.6 } : { masked: true },
          number > 1 ? { text: 'end', probability: 0.3 } : { masked: true }],
      })),
    };
    send({ method: '$/progress', params: { token: params.partialResultToken, value } });
  };
  step(0);
  step(1);
  const timer = setInterval(() => {
    if (!existsSync(`${log}.go`)) {
      return;
    }
    clearInterval(timer);
    step(2);
    reply({
      version, model: 'scripted', steps: total, forwardPasses: total, problem: '', seconds: { queued: 0, load: 0, denoise: 2 },
      holes: holes.map((hole, index) => ({ range: hole.range, newText: `fill ${index} end`, confidence: 0.6 })),
    });
  }, 50);
}

const on = {
  initialize: (_, reply) => reply({
    capabilities: {
      positionEncoding: 'utf-16', textDocumentSync: { openClose: true, change: 1 }, inlineCompletionProvider: true,
      codeActionProvider: true,
      executeCommandProvider: { commands: ['lacuna.didAccept', 'lacuna.explainLast', 'lacuna.fillHoles', 'lacuna.cancel'] },
    },
    serverInfo: { name: 'scripted', version: '1' },
  }),
  initialized: () => send({ method: 'didChangeStatus', params: { busy: false, kind: 'Normal', phase: 'ready', model: 'scripted', device: 'cpu' } }),
  shutdown: (_, reply) => reply(null),
  exit: () => process.exit(0),
  'textDocument/didOpen': ({ textDocument }) => documents.set(textDocument.uri, textDocument),
  'textDocument/didChange': ({ textDocument, contentChanges }) =>
    documents.set(textDocument.uri, { version: textDocument.version, text: contentChanges[0].text }),
  'textDocument/didClose': ({ textDocument }) => documents.delete(textDocument.uri),
  'textDocument/inlineCompletion': ({ textDocument, position, context }, reply) => {
    const line = documents.get(textDocument.uri).text.split('\n')[position.line];
    const range = { start: position, end: position };
    const item = (insertText) => ({ insertText, range, command: { title: '', command: 'lacuna.didAccept', arguments: [insertText] } });
    // The chosen item of a menu is extended, from where the item begins.
    const chosen = context.selectedCompletionInfo;
    if (chosen) {
      const { start } = chosen.range;
      reply({ items: [{ insertText: `${chosen.text}_and_more`, range: { start, end: position } }] });
      return;
    }
    // What was typed of a suggestion is answered with its rest, as the daemon does from its cache.
    const typed = / = (\S*)$/.exec(line)?.[1];
    const texts = ['add(one, two)\n    return y', ...(context.triggerKind === 1 ? ['other(three)'] : [])];
    const items = position.character === line.length && typed !== undefined
      ? texts.filter((text) => text.startsWith(typed)).map((text) => item(text.slice(typed.length))) : [];
    reply(items.length > 0 ? { items } : null);
  },
  'textDocument/codeAction': ({ textDocument, range }, reply) => reply([{
    title: 'Rewrite the selection', kind: 'refactor.rewrite',
    command: { title: 'Rewrite the selection', command: 'lacuna.previewFill',
      arguments: [{ what: 'selection', uri: textDocument.uri, version: documents.get(textDocument.uri).version, range }] },
  }]),
  'workspace/executeCommand': ({ command }, reply) =>
    reply(command === 'lacuna.explainLast' ? { outcome: 'the model was not sure enough', seconds: 0.05, confidence: 0.12 } : null),
  'lacuna/status': (_, reply) => reply({
    version: '0', processId: process.pid, sessions: 1, queue: { running: 0, waiting: 0 }, idleSeconds: 1,
    model: { phase: 'ready', name: 'scripted', device: 'cpu' },
  }),
  'lacuna/holes': ({ textDocument }, reply) => reply({ version: 0, holes: marked(textDocument.uri) }),
  'lacuna/fill': fill,
};

function handle(message) {
  appendFileSync(log, JSON.stringify(message) + '\n');
  if (message.method === '$/cancelRequest') {
    open.get(message.params.id)?.(undefined, { code: -32800, message: 'cancelled' });
    return;
  }
  const reply = (result, error) => {
    if (open.delete(message.id)) {
      send({ id: message.id, ...(error ? { error } : { result }) });
    }
  };
  if (message.id !== undefined && message.method) {
    open.set(message.id, reply);
    (on[message.method] ?? ((_, refuse) => refuse(undefined, { code: -32601, message: 'no such method' })))(message.params, reply);
  } else {
    on[message.method]?.(message.params);
  }
}

let buffer = Buffer.alloc(0);
process.stdin.on('data', (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const head = buffer.indexOf('\r\n\r\n');
    const length = head < 0 ? 0 : Number(/Content-Length: (\d+)/.exec(buffer.subarray(0, head).toString())[1]);
    if (head < 0 || buffer.length < head + 4 + length) {
      return;
    }
    const body = buffer.subarray(head + 4, head + 4 + length);
    buffer = buffer.subarray(head + 4 + length);
    handle(JSON.parse(body.toString()));
  }
});
process.stdin.on('end', () => process.exit(1));
