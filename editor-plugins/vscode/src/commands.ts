// The commands of the palette.
import * as vscode from 'vscode';
import { settings } from './config';
import type { Fills } from './fill';
import type { Explanation, Order, Range } from './protocol';
import type { Server } from './server';
import { statusLines } from './status';
import { describeExplanation, languageWanted } from './words';

// Other extensions that also suggest: the editor shows the first answer.
const others = ['github.copilot', 'ggml-org.llama-vscode', 'TabbyML.vscode-tabby', 'Continue.continue'];

function rangeOf(range: vscode.Range): Range {
  const { start, end } = range;
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}

async function pickStrength(): Promise<number | undefined> {
  const items = [0.1, 0.3, 0.5, 0.8].map((strength) => ({ label: `${Math.round(strength * 100)} %`, strength }));
  const title = 'Lacuna: how much of the function to write again';
  return (await vscode.window.showQuickPick(items, { title }))?.strength;
}

async function setEnabled(on: boolean): Promise<void> {
  const all = settings();
  await all.update('enable', on, vscode.ConfigurationTarget.Global);
  // What the workspace says counts more.
  if (all.inspect('enable')?.workspaceValue !== undefined) {
    await all.update('enable', on, vscode.ConfigurationTarget.Workspace);
  }
}

async function toggleLanguage(): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (!document) {
    return;
  }
  const all = settings(document);
  const languages = all.get<Record<string, boolean>>('languages') ?? {};
  const on = !languageWanted(languages, document.languageId);
  await all.update('languages', { ...languages, [document.languageId]: on }, vscode.ConfigurationTarget.Global);
}

export function registerCommands(server: Server, fills: Fills): vscode.Disposable[] {
  const { output } = server;

  const fill = (make: (editor: vscode.TextEditor) => Order) => async () => {
    const editor = vscode.window.activeTextEditor;
    if (editor) {
      await fills.start(editor.document, make(editor));
    }
  };
  const show = async (title: string, lines: string[]) => {
    lines.forEach((line) => output.info(`${title}: ${line}`));
    const chosen = await vscode.window.showInformationMessage(`Lacuna: ${lines.join(' · ')}`, 'Show Output');
    if (chosen) {
      output.show();
    }
  };
  const execute = async <T>(command: string): Promise<T | undefined> => {
    if (!server.client) {
      await show('status', await statusLines(server));
      return undefined;
    }
    return server.client.sendRequest<T>('workspace/executeCommand', { command, arguments: [] });
  };
  const showStatus = async () => {
    const lines = await statusLines(server);
    const rivals = others.filter((id) => vscode.extensions.getExtension(id)?.isActive);
    if (rivals.length > 0) {
      lines.push(`these also suggest, and the first answer is shown: ${rivals.join(', ')}`);
    }
    await show('status', lines);
  };

  const commands: Record<string, (...values: never[]) => unknown> = {
    enable: () => setEnabled(true),
    disable: () => setEnabled(false),
    toggleLanguage,
    trigger: () => vscode.commands.executeCommand('editor.action.inlineSuggest.trigger'),
    fillMarked: fill(() => ({})),
    fillHere: fill((editor) => ({ what: 'hole', range: rangeOf(editor.selection) })),
    fillSelection: fill((editor) => ({ ranges: [rangeOf(editor.selection)] })),
    rewriteFunction: fill((editor) => ({
      what: editor.selection.isEmpty ? 'rewrite' : 'selection',
      range: rangeOf(editor.selection),
    })),
    rewritePart: async (strength?: number) => {
      const editor = vscode.window.activeTextEditor;
      const share = typeof strength === 'number' ? strength : await pickStrength();
      if (editor && share !== undefined) {
        await fills.start(editor.document, { what: 'rewrite', range: rangeOf(editor.selection), strength: share });
      }
    },
    fixError: fill((editor) => ({ what: 'fix', range: rangeOf(editor.selection) })),
    implementFunction: fill((editor) => ({ what: 'implement', range: rangeOf(editor.selection) })),
    nextHole: () => fills.jump(1),
    previousHole: () => fills.jump(-1),
    acceptHole: (index?: number) => fills.accept(index),
    rejectHole: (index?: number) => fills.reject(index),
    acceptAll: () => fills.accept(undefined, true),
    rejectAll: () => fills.reject(undefined, true),
    showDiff: () => fills.showDiff(),
    cancelFill: () => fills.cancel(),
    showStatus,
    explain: async () => {
      const last = await execute<Explanation>('lacuna.explainLast');
      if (last) {
        await show('last suggestion', describeExplanation(last));
      }
    },
    showOutput: () => output.show(),
    restart: () => server.restart(),
    giveMemoryBack: async () => {
      const answer = await execute<{ when: string }>('lacuna.unloadModel');
      if (answer) {
        await show('the memory of the model', [`given back ${answer.when}; the next request loads it again`]);
      }
    },
    stopDaemon: async () => {
      // In this order: to write the setting opens a document, which would start the server, and a daemon, again.
      await setEnabled(false);
      await server.shutDown();
    },
    selectModel: async () => {
      const picked = await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false });
      if (picked?.[0]) {
        await settings().update('model', picked[0].fsPath, vscode.ConfigurationTarget.Global);
      }
    },
    openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', '@ext:lacuna.lacuna'),
    showMenu: async () => {
      const names = ['showStatus', 'explain', 'fillMarked', 'toggleLanguage', 'enable', 'disable', 'showOutput', 'restart', 'openSettings'];
      const titles = new Map<string, string>([
        ['showStatus', 'Show Status'],
        ['explain', 'Explain Last Suggestion'],
        ['fillMarked', 'Fill All Marked Holes'],
        ['toggleLanguage', 'Toggle for This Language'],
        ['enable', 'Enable'],
        ['disable', 'Disable'],
        ['showOutput', 'Show Output'],
        ['restart', 'Restart Server'],
        ['openSettings', 'Open Settings'],
      ]);
      const useless = settings().get<boolean>('enable') ? 'enable' : 'disable';
      const items = names.filter((name) => name !== useless).map((name) => ({ name, label: titles.get(name) ?? name }));
      const picked = await vscode.window.showQuickPick(items, { title: 'Lacuna' });
      if (picked) {
        await vscode.commands.executeCommand(`lacuna.${picked.name}`);
      }
    },
    // Sent by the server's code actions: the same as a fill, with the version that the action was made for.
    previewFill: async (data: Order & { uri: string; version: number }) => {
      const editor = vscode.window.activeTextEditor;
      if (editor) {
        const { what, range, strength } = data;
        await fills.start(editor.document, { what, range, strength }, data.version);
      }
    },
  };
  return Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(`lacuna.${name}`, run));
}
