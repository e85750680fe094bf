// A VS Code of its own in a headless browser: keys in, text and screen out.
import { spawn, execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const patience = 180_000;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function until(condition, what) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`did not come: ${typeof what === 'function' ? await what() : what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export class Editor {
  /** @param {{vscode: string, vsix: string, command: string[], files: Record<string, string>, settings?: object, environment?: object}} options */
  static async open(options) {
    const editor = new Editor();
    try {
      await editor.start(options);
    } catch (error) {
      await editor.close();
      throw error;
    }
    return editor;
  }

  async start({ vscode, vsix, command, files, settings = {}, environment = {} }) {
    const editor = this;
    editor.folder = mkdtempSync(join(tmpdir(), 'lacuna-e2e-'));
    editor.project = join(editor.folder, 'project');
    editor.log = join(editor.folder, 'log');
    writeFileSync(editor.log, '');
    mkdirSync(editor.project);
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(editor.project, name), text);
    }
    const user = join(editor.folder, 'user');
    const extensions = join(editor.folder, 'extensions');
    mkdirSync(join(user, 'User'), { recursive: true });
    const [path, ...rest] = command;
    const all = JSON.stringify({
      'workbench.startupEditor': 'none', 'telemetry.telemetryLevel': 'off', 'chat.disableAIFeatures': true,
      'workbench.tips.enabled': false, 'editor.wordBasedSuggestions': 'off', 'editor.minimap.enabled': false,
      'editor.accessibilitySupport': 'off', 'lacuna.path': path, 'lacuna.arguments': rest.map((word) => word.replace('@LOG', editor.log).replace('@FOLDER', editor.folder)),
      ...settings,
    });
    writeFileSync(join(user, 'User', 'settings.json'), all);
    // Where the editor runs on a server, settings of a machine are that server's.
    mkdirSync(join(user, 'Machine'));
    writeFileSync(join(user, 'Machine', 'settings.json'), all);
    const program = join(vscode, 'code-server');
    const dirs = ['--user-data-dir', user, '--extensions-dir', extensions];
    const env = { ...process.env, XDG_CONFIG_HOME: editor.folder, XDG_STATE_HOME: editor.folder, ...environment };
    execFileSync(program, [...dirs, '--install-extension', vsix], { stdio: 'pipe', env });
    const port = await freePort();
    const output = openSync(join(editor.folder, 'code-server.log'), 'w');
    editor.server = spawn(program, [...dirs, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry',
      '--disable-update-check', '--disable-workspace-trust'], { stdio: ['ignore', output, output], detached: true, env });
    closeSync(output);
    const { chromium } = createRequire(join(vscode, 'node_modules', 'x.js'))('playwright-core');
    editor.browser = await chromium.launch({
      executablePath: ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync), headless: true,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
    editor.address = `http://127.0.0.1:${port}/?folder=${editor.project}`;
    editor.page = await editor.newPage();
  }

  async newPage() {
    const page = await this.browser.newPage({ viewport: { width: 1280, height: 800 } });
    let problem = '';
    await until(async () => {
      try {
        await page.goto(this.address, { waitUntil: 'load', timeout: patience });
        return true;
      } catch (error) {
        problem = String(error);
      }
      if (this.server.exitCode !== null || this.server.signalCode !== null) {
        throw new Error(`the editor has ended: ${readFileSync(join(this.folder, 'code-server.log'), 'utf8')}`);
      }
      return false;
    }, () => `the start of the editor: ${problem}`);
    return page;
  }

  /** Another window on the same folder, with an extension and a server of its own. */
  async anotherWindow() {
    const window = Object.create(this);
    window.page = await this.newPage();
    return window;
  }

  async close() {
    await this.browser?.close();
    if (this.server?.exitCode === null && this.server.signalCode === null) {
      process.kill(-this.server.pid, 'SIGTERM');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** By keys alone: a click of playwright waits for frames that a headless browser without a GPU seldom draws. */
  async openFile(name) {
    await this.pick('Control+p', name, name);
    await until(() => this.page.evaluate((file) => [...document.querySelectorAll('.tab.active')].some((tab) => tab.textContent.includes(file)), name), `the file ${name}`);
    await until(() => this.page.evaluate(() => document.querySelector('.editor-instance .view-lines') !== null), 'an editor');
  }

  async keys(...keys) {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  async type(text) {
    await this.page.keyboard.type(text, { delay: 40 });
  }

  /** Opens the quick input by `key`, types, and takes the first row once it has `wanted` in it. */
  async pick(key, text, wanted) {
    let round = 0;
    await until(async () => {
      if (round++ % 50 === 0) {
        await this.keys(key);
      }
      return this.page.evaluate(() => document.activeElement?.closest('.quick-input-widget') !== null);
    }, `the quick input of ${key}`);
    await this.type(text);
    await until(() => this.page.evaluate((words) => document.querySelector('.quick-input-list .monaco-list-row')?.textContent?.includes(words), wanted), `the row ${wanted}`);
    await this.keys('Enter');
  }

  /** A command of the palette, by its title. */
  async command(title) {
    await this.pick('F1', title, title.split(': ').pop());
  }

  /** What the editor shows, with suggestions; blanks as blanks. */
  async screen() {
    const text = await this.page.evaluate(() => [...document.querySelectorAll('.editor-instance')].map((part) => part.innerText).join('\n'));
    return text.replace(/\u00a0/g, ' ');
  }

  async seen(words) {
    await until(async () => (await this.screen()).includes(words), async () => `${words}\non the screen:\n${await this.screen()}`);
  }

  /** The suggestion as it is drawn. One line may come in several pieces: brackets have one of their own. */
  async ghost() {
    const text = await this.page.evaluate(() => {
      const lines = new Map();
      for (const part of document.querySelectorAll('[class*="ghost-text"]')) {
        const top = Math.round(part.getBoundingClientRect().top);
        lines.set(top, (lines.get(top) ?? '') + part.textContent);
      }
      return [...lines.values()].join('\n');
    });
    return text.replace(/\u00a0/g, ' ');
  }

  /**
   * Waits for a suggestion at the cursor, until it has stood for a while. A key now and then, for a provider that was
   * not there at the last one; what is seen right after it may still be what was there before.
   */
  async suggestion(words) {
    let round = 0;
    let seen = 0;
    await until(async () => {
      if (++round % 30 === 0 && seen === 0) {
        await this.keys('Space', 'Backspace');
        return false;
      }
      seen = (await this.ghost()).includes(words) ? seen + 1 : 0;
      return seen > 3;
    }, async () => `the suggestion ${words}; there is: ${await this.ghost()}`);
  }

  /** Waits for any suggestion at the cursor, until it has stood for a while; or, after some seconds, for none. */
  async anySuggestion() {
    let seen = 0;
    for (let round = 0; round < 300 && seen < 5; ++round) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      seen = (await this.ghost()) === '' ? 0 : seen + 1;
    }
    return this.ghost();
  }

  /** Saves, and gives what is then in the file of the editor in front. */
  async savedText(name) {
    let round = 0;
    let clean = 0;
    await until(async () => {
      if (round++ % 20 === 0) {
        await this.keys('Control+s');
        clean = 0;
      }
      clean = (await this.page.evaluate(() => document.querySelector('.tab.active.dirty') === null)) ? clean + 1 : 0;
      return clean > 8;
    }, `${name}, saved`);
    return this.onDisk(name);
  }

  /** Saves until the file on disk is `expected`. */
  async saved(name, expected) {
    const read = () => this.onDisk(name);
    let round = 0;
    await until(async () => {
      if (round++ % 20 === 0) {
        await this.keys('Control+s');
      }
      return read() === expected;
    }, () => `${name} as ${JSON.stringify(expected)}; it is ${JSON.stringify(read())}`);
  }

  /** Lets the scripted server end its fills, or hold them half done. */
  go(on) {
    if (on) {
      writeFileSync(`${this.log}.go`, '');
    } else {
      rmSync(`${this.log}.go`, { force: true });
    }
  }

  /** What the scripted server got. A line that has no end yet is still being written. */
  messages(method) {
    return readFileSync(this.log, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line)).filter((message) => !method || message.method === method);
  }

  statusBar() {
    return this.page.evaluate(() => document.querySelector('[id="lacuna.lacuna.lacuna.status"], [id*="lacuna.status"]')?.textContent ?? '');
  }

  /** What a screen reader reads out for it: its tooltip. */
  statusLabel() {
    return this.page.evaluate(() => document.querySelector('[id*="lacuna.status"] [aria-label], [id*="lacuna.status"]')?.getAttribute('aria-label') ?? '');
  }

  /** A setting of the user, as it is on disk. */
  setting(name) {
    return JSON.parse(readFileSync(join(this.folder, 'user', 'User', 'settings.json'), 'utf8'))[name];
  }

  onDisk(name) {
    return readFileSync(join(this.project, name), 'utf8');
  }

  async notification(words) {
    await until(() => this.page.evaluate((wanted) => [...document.querySelectorAll('.notification-toast')].some((toast) => toast.textContent.includes(wanted)), words), `the notification ${words}`);
  }

  /** Processes of the language server that run now. */
  servers(words) {
    try {
      return execFileSync('pgrep', ['-f', words], { encoding: 'utf8' }).trim().split('\n').filter(Boolean);
    } catch {
      return [];
    }
  }
}

export const scripted = [process.execPath, join(here, 'server.mjs'), '@LOG'];

/** Runs one test after the other; the first that fails ends all, with a picture. LACUNA_E2E names some of them: a pattern. */
export function makeTest(editor, pictures) {
  const wanted = new RegExp(process.env.LACUNA_E2E ?? '');
  return async (name, body) => {
    if (!wanted.test(name)) {
      return;
    }
    const start = Date.now();
    try {
      await body();
      console.log(`ok   ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      console.log(`FAIL ${name}\n${error.stack}`);
      const picture = join(pictures ?? tmpdir(), 'lacuna-e2e-failure.png');
      await editor.page.screenshot({ path: picture });
      console.log(`${picture}\n${await editor.screen()}`);
      await editor.close();
      process.exit(1);
    }
  };
}
