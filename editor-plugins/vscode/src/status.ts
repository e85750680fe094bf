// The item in the status bar.
import * as vscode from 'vscode';
import { reasonAgainst } from './config';
import type { Status, StatusChange } from './protocol';
import type { Server } from './server';
import { describeStatus, statusItem, type Activity } from './words';

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('lacuna.status', vscode.StatusBarAlignment.Right, 100);
  private readonly disposables: vscode.Disposable[];
  private activity: Activity | undefined;
  /** Why the server suggests nothing in the document that is shown. */
  private leftOut: string | undefined;

  constructor(private readonly server: Server) {
    this.item.name = 'Lacuna';
    this.item.command = 'lacuna.showMenu';
    this.disposables = [
      this.item,
      server.onChanged(() => {
        this.show();
        if (server.activity !== this.activity) {
          this.activity = server.activity;
          void this.askAboutDocument();
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.askAboutDocument()),
    ];
    this.show();
    this.item.show();
  }

  dispose(): void {
    this.disposables.forEach((disposable) => void disposable.dispose());
  }

  private async askAboutDocument(): Promise<void> {
    this.leftOut = undefined;
    this.show();
    const document = vscode.window.activeTextEditor?.document;
    const { client, activity } = this.server;
    if (!document || !client || activity !== 'running' || reasonAgainst(document) !== undefined) {
      return;
    }
    const textDocument = { uri: client.code2ProtocolConverter.asUri(document.uri) };
    void client.sendNotification('textDocument/didFocus', { textDocument }).catch(() => {});
    const status = await client.sendRequest<Status>('lacuna/status', { textDocument }).catch(() => undefined);
    if (status?.document && !status.document.active && document === vscode.window.activeTextEditor?.document) {
      this.leftOut = status.document.reason ?? 'no reason given';
      this.show();
    }
  }

  private show(): void {
    const document = vscode.window.activeTextEditor?.document;
    const against = document ? reasonAgainst(document) : undefined;
    const activity = against && this.server.activity !== 'missing' ? 'off' : this.server.activity;
    const told = this.server.status;
    const status: StatusChange | undefined =
      this.leftOut && told?.kind !== 'Error'
        ? { busy: false, ...told, kind: 'Inactive', message: `No suggestions in this file: ${this.leftOut}.` }
        : told;
    const { text, detail, warn } = statusItem(activity, status, against ?? this.server.reason);
    this.item.text = text;
    this.item.tooltip = new vscode.MarkdownString(`**Lacuna**\n\n${detail}`);
    this.item.backgroundColor = warn ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  }
}

/** Asks the server how it is; lines for a person. */
export async function statusLines(server: Server): Promise<string[]> {
  if (!server.client) {
    const document = vscode.window.activeTextEditor?.document;
    return [server.reason || (document && reasonAgainst(document)) || 'The server is not running.'];
  }
  const document = vscode.window.activeTextEditor?.document;
  const textDocument = document && { uri: server.client.code2ProtocolConverter.asUri(document.uri) };
  const status = await server.client.sendRequest<Status>('lacuna/status', textDocument ? { textDocument } : {});
  if (status.model) {
    const { name, device, phase } = status.model;
    server.update({ model: name || undefined, device: device || undefined, phase });
  }
  const lines = describeStatus(status);
  if (!vscode.workspace.getConfiguration('editor').get<boolean>('inlineSuggest.enabled')) {
    lines.push('nothing is shown while the setting editor.inlineSuggest.enabled is off');
  }
  return lines;
}
