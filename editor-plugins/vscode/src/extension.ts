// Wires the parts together.
import * as vscode from 'vscode';
import { registerCommands } from './commands';
import { disposeDecorations } from './decorate';
import { Fills } from './fill';
import { Server } from './server';
import { StatusBar } from './status';

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel('Lacuna', { log: true });
  const server = new Server(output);
  const fills = new Fills(server);
  context.subscriptions.push(
    output,
    server,
    fills,
    new StatusBar(server),
    { dispose: disposeDecorations },
    ...registerCommands(server, fills),
    vscode.workspace.onDidOpenTextDocument(() => server.refresh()),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration('lacuna') && !event.affectsConfiguration('lacuna.trace')) {
        await server.restart();
      }
    }),
  );
  await server.refresh();
}
