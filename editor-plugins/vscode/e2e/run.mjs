// The extension in a real VS Code against a scripted server. Slow: minutes on a busy machine, so not a part of every test run.
//   npm run package && npm run e2e -- VSCODE_FOLDER [PICTURES]
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Editor, makeTest, scripted, until } from './editor.mjs';

const [vscode, pictures] = process.argv.slice(2).map((path) => resolve(path));
if (!vscode) {
  console.error('usage: npm run e2e -- VSCODE_FOLDER [PICTURES]   (the folder of scripts/get_vscode.sh)');
  process.exit(2);
}
if (pictures) {
  mkdirSync(pictures, { recursive: true });
}

const files = {
  'a.py': 'def f(one, two):\n',
  'holes.py': 'a = ⟦?⟧\nmiddle = 1\nb = ⟦?⟧\n',
  'old.py': 'def g():\n    return 1\n',
  'notes.md': 'text = \n',
  'menu.css': 'p { }\n',
};

const editor = await Editor.open({
  vscode, vsix: resolve('dist/lacuna.vsix'), command: scripted, files,
  settings: { 'lacuna.languages': { '*': true, markdown: false } },
});
const picture = async (name) => pictures && editor.page.screenshot({ path: join(pictures, `${name}.png`) });

const test = makeTest(editor, pictures);

await test('a file of a language that is off starts no server', async () => {
  await editor.openFile('notes.md');
  await until(async () => (await editor.statusBar()).includes('lacuna'), 'the extension in the status bar');
  await editor.keys('Control+End');
  await editor.type('x = ');
  await editor.page.waitForTimeout(1000);
  assert.deepEqual(editor.messages(), []);
});

await test('a suggestion appears while typing, and the status bar names model and device', async () => {
  await editor.openFile('a.py');
  await until(() => editor.messages('textDocument/didOpen').length === 1, 'an open document');
  await until(async () => (await editor.statusBar()).includes('scripted · cpu'), 'the status bar');
  await editor.keys('Control+End');
  await editor.type('    y = ');
  await editor.suggestion('add(one, two)');
  await until(async () => /scripted · cpu · \d+ ms/.test(await editor.statusBar()), 'the status bar');
  await picture('vscode-suggestion');
});

await test('typing through keeps it, another key removes it, backspace brings it back', async () => {
  await editor.type('ad');
  await until(async () => /(^|\s)d\(one, two\)/.test(await editor.ghost()), async () => `the rest of the suggestion; there is: ${await editor.ghost()}`);
  await editor.type('x');
  await until(async () => (await editor.ghost()) === '', 'the end of the suggestion');
  await editor.keys('Backspace', 'Backspace', 'Backspace');
  await editor.suggestion('add(one, two)');
});

await test('Ctrl+Right accepts a word, Tab the rest, one undo takes it back', async () => {
  await editor.keys('Control+ArrowRight');
  await editor.seen('y = add');
  await editor.keys('Escape', 'Control+z');
  await editor.keys('Control+End');
  await editor.type(' ');
  await editor.keys('Backspace');
  await editor.suggestion('add(one, two)');
  await editor.keys('Tab');
  await editor.saved('a.py', 'def f(one, two):\n    y = add(one, two)\n    return y');
  await until(() => editor.messages('workspace/executeCommand').some((message) => message.params.command === 'lacuna.didAccept'), 'the word of it');
  await editor.keys('Control+z');
  await editor.saved('a.py', 'def f(one, two):\n    y = ');
});

await test('Alt+] shows another', async () => {
  await editor.keys('Control+End');
  await editor.type(' ');
  await editor.keys('Backspace');
  await editor.suggestion('add(one, two)');
  await editor.keys('Alt+]');
  await until(async () => (await editor.ghost()).includes('other(three)'), 'the other one');
  assert.ok(editor.messages('textDocument/inlineCompletion').some((message) => message.params.context.triggerKind === 1));
  await editor.keys('Escape');
});

await test('with the menu open the suggestion extends its chosen item, and Tab takes the item alone', async () => {
  await editor.openFile('menu.css');
  await until(() => editor.messages('textDocument/didOpen').some((message) => message.params.textDocument.uri.endsWith('menu.css')), 'the open document');
  await editor.keys('Control+End');
  await editor.type('q { colo');
  await until(() => editor.page.evaluate(() => document.querySelector('.suggest-widget.visible .monaco-list-row.focused')?.textContent?.includes('color')), 'the menu');
  await until(async () => /^r.*_and_more$/.test(await editor.ghost()), async () => `the rest of the item and more; there is: ${await editor.ghost()}`);
  await picture('vscode-menu');
  assert.match(editor.messages('textDocument/inlineCompletion').findLast((message) => message.params.context.selectedCompletionInfo).params.context.selectedCompletionInfo.text, /^color/);
  await editor.keys('Tab');
  await until(() => editor.page.evaluate(() => document.querySelector('.suggest-widget.visible .monaco-list-row.focused')?.textContent?.includes('color') !== true), 'the end of the menu of names');
  const text = await editor.savedText('menu.css');
  assert.match(text, /q \{ color/);
  assert.ok(!text.includes('_and_more'), text);
  await editor.keys('Escape');
});

await test('explain and status say what the server says', async () => {
  await editor.command('Lacuna: Explain Last Suggestion');
  await editor.notification('the model was not sure enough · took 50 ms, confidence 0.12');
  await editor.command('Lacuna: Show Status');
  await editor.notification('model: scripted, ready');
  await editor.command('Notifications: Clear All Notifications');
});

await test('holes are drawn step by step, one is accepted and one rejected', async () => {
  await editor.openFile('holes.py');
  await until(() => editor.messages('textDocument/didOpen').some((message) => message.params.textDocument.uri.endsWith('holes.py')), 'the open document');
  await editor.command('Lacuna: Next Hole');
  await editor.command('Lacuna: Fill All Marked Holes');
  await until(() => editor.page.evaluate(() => [...document.querySelectorAll('.view-lines span')].some((part) => getComputedStyle(part, '::after').content.includes('░'))), 'masks');
  await picture('vscode-denoising');
  editor.go(true);
  await editor.seen('Accept (60 %)');
  await picture('vscode-preview');
  await editor.keys('Control+Home', 'Control+Alt+n');
  await editor.keys('Control+Alt+Enter');
  await editor.seen('a = fill 0 end');
  await editor.keys('Control+Alt+Backspace');
  await until(async () => !(await editor.screen()).includes('Accept ('), 'the end of the preview');
  await editor.saved('holes.py', 'a = fill 0 end\nmiddle = 1\nb = ⟦?⟧\n');
  await editor.keys('Control+z');
  await editor.saved('holes.py', files['holes.py']);
});

await test('an edit meanwhile ends the fill and is not overwritten', async () => {
  editor.go(false);
  const fills = editor.messages('lacuna/fill').length;
  await editor.command('Lacuna: Fill All Marked Holes');
  await until(() => editor.messages('lacuna/fill').length > fills, 'the second fill');
  await editor.keys('Control+End');
  await editor.type('edit');
  await editor.notification('nothing of it was applied');
  await until(() => editor.messages('$/cancelRequest').length > 0, 'the cancel');
  await editor.saved('holes.py', `${files['holes.py']}edit`);
  await editor.command('Notifications: Clear All Notifications');
});

await test('a rewrite is shown as a diff and rejected, then accepted', async () => {
  await editor.openFile('old.py');
  await until(() => editor.messages('textDocument/didOpen').some((message) => message.params.textDocument.uri.endsWith('old.py')), 'the open document');
  editor.go(true);
  await editor.keys('Control+a');
  await editor.command('Lacuna: Rewrite Function or Selection');
  await until(() => editor.page.evaluate(() => document.querySelector('.diff-editor, .monaco-diff-editor') !== null), 'the diff');
  await editor.seen('fill 0 end');
  await picture('vscode-diff');
  await editor.command('Lacuna: Reject All Holes');
  await until(() => editor.page.evaluate(() => document.querySelector('.monaco-diff-editor') === null), 'the end of the diff');
  await editor.saved('old.py', files['old.py']);
  await editor.keys('Control+a');
  await editor.command('Lacuna: Rewrite Function or Selection');
  await until(() => editor.page.evaluate(() => document.querySelector('.monaco-diff-editor') !== null), 'the diff');
  await editor.command('Lacuna: Accept All Holes');
  await until(() => editor.page.evaluate(() => document.querySelector('.monaco-diff-editor') === null), 'the end of the diff');
  await editor.saved('old.py', 'fill 0 end');
});

await test('a server that is killed comes back', async () => {
  const [pid] = editor.servers(`server.mjs ${editor.log}`);
  process.kill(Number(pid), 'SIGKILL');
  await until(() => editor.messages('initialize').length === 2, 'the second start');
  await until(() => editor.servers(`server.mjs ${editor.log}`).length === 1, 'one server');
});

await test('off ends the process, on starts it', async () => {
  await editor.command('Lacuna: Disable');
  await until(() => editor.servers(`server.mjs ${editor.log}`).length === 0, 'the end of the server');
  assert.equal(editor.messages().at(-1).method, 'exit');
  await editor.command('Lacuna: Enable');
  await until(() => editor.servers(`server.mjs ${editor.log}`).length === 1, 'the server');
});

await editor.close();
console.log('all passed');
