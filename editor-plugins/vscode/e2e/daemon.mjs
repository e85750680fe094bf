// The extension in a real VS Code with the real server and the model that ships with it. What so small a model writes
// is its own affair: nothing here depends on it.
//   npm run package && npm run e2e:daemon -- VSCODE_FOLDER LACUNA [PICTURES]
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Editor, makeTest, until } from './editor.mjs';

const [vscode, program, pictures] = process.argv.slice(2).map((path) => resolve(path));
if (!program) {
  console.error('usage: npm run e2e:daemon -- VSCODE_FOLDER LACUNA [PICTURES]');
  process.exit(2);
}
if (pictures) {
  mkdirSync(pictures, { recursive: true });
}

const files = {
  'a.py': 'def add(one, two):\n    return one + two\n\n\n',
  'holes.py': 'def add(one, two):\n    return ⟦?⟧\n\n\ndef sub(one, two):\n    return ⟦?⟧\n',
  'old.py': 'def add(one, two):\n    return one + two\n',
  'secret.env': 'KEY=value\n',
};
const editor = await Editor.open({
  vscode, vsix: resolve('dist/lacuna.vsix'), command: [program, 'lsp', '--socket', '@FOLDER/daemon.sock'], files,
  settings: { 'editor.autoClosingBrackets': 'never', 'editor.autoIndent': 'none' },
  // Where a test fails, the daemon is left behind; it then ends by itself.
  environment: { LACUNA_INLINE_COMPLETION_MIN_CONFIDENCE: '0', LACUNA_IDLE_EXIT_MINUTES: '1' },
});
const test = makeTest(editor, pictures);
const daemons = () => editor.servers(`serve --socket ${editor.folder}/daemon.sock`);
const toasts = () => editor.page.evaluate(() => document.querySelectorAll('.notification-toast').length);
/** How many daemons there have been. */
const starts = () => readFileSync(join(editor.folder, 'lacuna', 'daemon.log'), 'utf8').split('listening at').length - 1;
const servers = () => editor.servers(`lsp --socket ${editor.folder}/daemon.sock`);

const beginnings = ['total = ', 'print(', 'for ', 'x = add', 'if ', 'import '];

/** Types, in a last line of its own, something at which there is a suggestion; from the `first` place on. */
async function suggestion(first = 0) {
  for (const beginning of [...beginnings.slice(first), ...beginnings]) {
    await editor.keys('Escape', 'Control+End', 'Enter', 'Home');
    await editor.type(beginning);
    if ((await editor.anySuggestion()) !== '') {
      return;
    }
  }
  throw new Error('at none of the places is there a suggestion');
}

await test('a suggestion appears, and the status bar names model and device', async () => {
  await editor.openFile('a.py');
  await until(() => daemons().length === 1, 'a daemon');
  await until(async () => (await editor.statusBar()).includes('lacuna'), 'the status bar');
  await suggestion();
  await until(async () => /· cpu · \d+ ms/.test(await editor.statusBar()), async () => `the status bar: ${await editor.statusBar()}`);
});

await test('Tab accepts it, one undo takes it back', async () => {
  await suggestion();
  const typed = await editor.savedText('a.py');
  await editor.anySuggestion();
  await editor.keys('Tab');
  let accepted = typed;
  await until(async () => (accepted = await editor.savedText('a.py')) !== typed, 'the accepted text');
  assert.ok(accepted.startsWith(typed.trimEnd()), `${JSON.stringify(accepted)} begins with ${JSON.stringify(typed)}`);
  await editor.keys('Control+z');
  await editor.saved('a.py', typed);
  await editor.keys('Escape');
});

await test('typing through keeps it without a new one, backspace brings it back', async () => {
  await suggestion();
  const words = await editor.ghost();
  await editor.type(words[0]);
  await until(async () => (await editor.ghost()) === words.slice(1), async () => `the rest of ${words}; there is: ${await editor.ghost()}`);
  await editor.keys('Backspace');
  await until(async () => (await editor.ghost()) === words, async () => `${words} again; there is: ${await editor.ghost()}`);
});

await test('Ctrl+Right accepts a word of it, Tab the rest', async () => {
  await suggestion();
  const words = await editor.ghost();
  const typed = await editor.savedText('a.py');
  await editor.suggestion(words);
  await editor.keys('Control+ArrowRight');
  let accepted = typed;
  await until(async () => (accepted = await editor.savedText('a.py')) !== typed, 'the accepted word');
  assert.ok((typed + words).startsWith(accepted), `${JSON.stringify(typed + words)} begins with ${JSON.stringify(accepted)}`);
  if (accepted !== typed + words) {
    await editor.suggestion(words.slice(accepted.length - typed.length));
    await editor.keys('Tab');
    await editor.saved('a.py', typed + words);
  }
  await editor.keys('Escape');
});

await test('Alt+] shows another, Alt+[ the first again', async () => {
  for (let round = 0; ; ++round) {
    await suggestion(round);
    const words = await editor.ghost();
    await editor.keys('Alt+]');
    const other = async () => ((await editor.ghost()) !== '' && (await editor.ghost()) !== words);
    for (let wait = 0; wait < 100 && !(await other()); ++wait) {
      await editor.page.waitForTimeout(100);
    }
    if (await other()) {
      await editor.keys('Alt+[');
      await until(async () => (await editor.ghost()) === words, async () => `${words}; there is: ${await editor.ghost()}`);
      break;
    }
    assert.ok(round < beginnings.length, 'at none of the places is there another suggestion');
  }
  await editor.keys('Escape');
});

await test('two holes are filled together, accepted, and undone', async () => {
  await editor.openFile('holes.py');
  await editor.command('Lacuna: Fill All Marked Holes');
  await editor.seen('Accept (');
  assert.equal(editor.onDisk('holes.py'), files['holes.py']);
  await editor.command('Lacuna: Accept All Holes');
  let filled = files['holes.py'];
  await until(async () => (filled = await editor.savedText('holes.py')) !== files['holes.py'], 'the filled text');
  assert.ok(!filled.includes('⟦'), filled);
  await editor.keys('Control+z');
  await editor.saved('holes.py', files['holes.py']);
});

await test('a rewrite is shown as a diff and rejected', async () => {
  await editor.openFile('old.py');
  await editor.keys('Control+Home');
  await editor.command('Lacuna: Rewrite Function or Selection');
  const diff = () => editor.page.evaluate(() => document.querySelector('.monaco-diff-editor') !== null);
  await until(diff, 'the diff');
  await editor.command('Lacuna: Reject All Holes');
  await until(async () => !(await diff()), 'the end of the diff');
  await editor.saved('old.py', files['old.py']);
});

await test('a file with secrets is left out, and the status bar says so', async () => {
  await editor.openFile('secret.env');
  await until(async () => (await editor.statusLabel()).includes('No suggestions in this file'), async () => `the word of it: ${await editor.statusLabel()}`);
  await editor.command('Lacuna: Show Status');
  await editor.notification('this file: no suggestions');
  await editor.command('Notifications: Clear All Notifications');
});

await test('a daemon that is killed comes back without a word', async () => {
  await editor.openFile('a.py');
  const [before] = daemons();
  const [server] = servers();
  process.kill(Number(before), 'SIGKILL');
  await until(() => daemons().length === 1 && daemons()[0] !== before, 'another daemon');
  await suggestion();
  assert.deepEqual(servers(), [server]);
  assert.equal(await toasts(), 0);
});

await test('off ends the server, on starts it', async () => {
  await editor.command('Lacuna: Disable');
  await until(() => servers().length === 0, 'the end of the server');
  await editor.command('Lacuna: Enable');
  await until(() => servers().length === 1 && daemons().length === 1, 'the server');
  assert.equal(await toasts(), 0);
});

await test('a daemon that is shut down stays away', async () => {
  const before = starts();
  await editor.command('Lacuna: Shut Down Daemon');
  await until(() => editor.setting('lacuna.enable') === false, 'the setting');
  await until(() => servers().length === 0 && daemons().length === 0, () => `the end of both; there are ${servers().length} and ${daemons().length}`);
  assert.equal(starts(), before);
});

// The last one: a server keeps the extensions of a window that is gone for hours, in case it comes back.
await test('three windows share one daemon', async () => {
  const before = starts();
  const counts = () => [servers().length, daemons().length];
  const words = (wanted) => () => `${wanted} servers and a daemon; there are ${counts().join(' and ')}`;
  // Before the others open: a window of another browser does not hear of a change of the settings.
  await editor.command('Lacuna: Enable');
  await until(() => servers().length === 1 && daemons().length === 1, words(1));
  for (const wanted of [2, 3]) {
    const window = await editor.anotherWindow();
    await window.openFile('a.py');
    await until(() => servers().length === wanted && daemons().length === 1, words(wanted));
  }
  assert.equal(starts(), before + 1);
  await editor.page.bringToFront();
  await suggestion();
});

await editor.close();
console.log('all passed');
