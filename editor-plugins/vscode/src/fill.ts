// Fills of holes and rewrites: asked for, shown while they are denoised, accepted or rejected hole by hole.
//
// A preview belongs to one version of its document: any other change ends it, and nothing of it can be applied.
import * as vscode from 'vscode';
import { LSPErrorCodes, ProgressType, ResponseError } from 'vscode-languageclient/node';
import { settings } from './config';
import { draw, toRange } from './decorate';
import { nearest, Preview, withFills, type Hole } from './preview';
import type { FillResult, Order, Position, Range, Step } from './protocol';
import type { Server } from './server';

const scheme = 'lacuna-preview';
const steps = new ProgressType<Step>();
let count = 0;

interface Running {
  document: vscode.TextDocument;
  preview: Preview;
  cancellation: vscode.CancellationTokenSource;
}

export class Fills implements vscode.Disposable, vscode.CodeLensProvider, vscode.TextDocumentContentProvider {
  private current: Running | undefined;
  private applying = false;
  private readonly lensesChanged = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.lensesChanged.event;
  private readonly contentChanged = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.contentChanged.event;
  private readonly disposables: vscode.Disposable[];

  constructor(private readonly server: Server) {
    this.disposables = [
      vscode.languages.registerCodeLensProvider([{ scheme: 'file' }, { scheme: 'untitled' }], this),
      vscode.workspace.registerTextDocumentContentProvider(scheme, this),
      vscode.workspace.onDidChangeTextDocument((event) => this.onChange(event)),
      vscode.window.onDidChangeVisibleTextEditors(() => this.redraw()),
    ];
  }

  dispose(): void {
    this.end();
    this.disposables.forEach((disposable) => void disposable.dispose());
  }

  /** Asks for fills in `document`; `version` is that of an older order, if it is one. */
  async start(document: vscode.TextDocument, order: Order, version = document.version): Promise<void> {
    const client = this.server.client;
    if (!client) {
      void vscode.window.showWarningMessage(`Lacuna: ${this.server.reason || 'the server is not running.'}`);
      return;
    }
    this.end();
    const running: Running = {
      document,
      preview: new Preview(version),
      cancellation: new vscode.CancellationTokenSource(),
    };
    this.current = running;
    void vscode.commands.executeCommand('setContext', 'lacuna.filling', true);
    const token = `lacuna-fill-${++count}`;
    const params = {
      ...order,
      textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri), version },
      partialResultToken: token,
    };
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Lacuna', cancellable: true },
      async (progress, cancelled) => {
        cancelled.onCancellationRequested(() => running.cancellation.cancel());
        let done = 0;
        const listener = client.onProgress(steps, token, (step) => {
          if (this.current !== running) {
            return;
          }
          running.preview.onStep(step);
          const part = step.masksTotal > 0 ? (100 * (step.masksTotal - step.masksLeft)) / step.masksTotal : 0;
          progress.report({ message: `step ${step.step + 1}, ${step.masksLeft} tokens to go`, increment: part - done });
          done = part;
          this.redraw();
        });
        try {
          this.onResult(running, await client.sendRequest<FillResult>('lacuna/fill', params, running.cancellation.token));
        } catch (error) {
          this.onError(running, error);
        } finally {
          listener.dispose();
        }
      },
    );
    const rewrite = order.what === 'rewrite' || order.what === 'selection';
    const asDiff = rewrite && settings(document).get('rewrite.preview') === 'diff';
    if (this.current === running && running.preview.ready && asDiff) {
      await this.showDiff();
    }
  }

  cancel(): void {
    this.end();
  }

  /** Goes to the next (1) or previous (-1) hole, of the preview or else of those marked in the text. */
  async jump(step: 1 | -1): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) {
      return;
    }
    let places: Position[] = [];
    if (this.current?.document === editor.document) {
      places = this.current.preview.holes.map((hole) => hole.range.start);
    } else if (this.server.client) {
      const { client } = this.server;
      const uri = client.code2ProtocolConverter.asUri(editor.document.uri);
      const found = await client.sendRequest<{ holes: { range: Range }[] }>('lacuna/holes', { textDocument: { uri } });
      places = found.holes.map((hole) => hole.range.start);
    }
    const place = nearest(places, editor.selection.active, step);
    if (!place) {
      void vscode.window.setStatusBarMessage('Lacuna: there are no holes here', 3000);
      return;
    }
    const position = new vscode.Position(place.line, place.character);
    editor.selection = new vscode.Selection(position, position);
    editor.revealRange(new vscode.Range(position, position), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  /** Writes one hole (the one at the cursor, if none is named) or all, as one undo step. */
  async accept(index?: number, all = false): Promise<void> {
    const running = this.readyHere();
    if (!running) {
      return;
    }
    const { preview, document } = running;
    const chosen = all ? [...preview.holes] : [this.chosen(running, index)].filter((hole) => hole !== undefined);
    const edit = new vscode.WorkspaceEdit();
    for (const hole of chosen) {
      edit.replace(document.uri, toRange(hole.range), hole.newText ?? '');
    }
    this.applying = true;
    let applied = false;
    try {
      applied = await vscode.workspace.applyEdit(edit);
    } finally {
      this.applying = false;
    }
    if (!applied) {
      this.refuse();
      return;
    }
    for (const hole of [...chosen].reverse()) {
      preview.accept(hole, document.version);
    }
    await this.afterDecision(running);
  }

  /** Leaves one hole or all as they are. */
  async reject(index?: number, all = false): Promise<void> {
    const running = this.readyHere();
    if (!running) {
      return;
    }
    const chosen = all ? [...running.preview.holes] : [this.chosen(running, index)];
    for (const hole of chosen) {
      if (hole) {
        running.preview.reject(hole);
      }
    }
    await this.afterDecision(running);
  }

  async showDiff(): Promise<void> {
    const running = this.readyHere();
    if (running) {
      const name = running.document.uri.path.split('/').pop() ?? '';
      const uri = this.previewUri(running.document);
      this.contentChanged.fire(uri);
      await vscode.commands.executeCommand('vscode.diff', running.document.uri, uri, `${name} ↔ Lacuna`);
    }
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const running = this.current;
    if (!running?.preview.ready || running.document !== document) {
      return [];
    }
    const lenses: vscode.CodeLens[] = [];
    const add = (range: vscode.Range, title: string, command: string, argument?: number) =>
      lenses.push(new vscode.CodeLens(range, { title, command, arguments: argument === undefined ? [] : [argument] }));
    running.preview.holes.forEach((hole, position) => {
      const range = toRange(hole.range);
      const sure = hole.confidence === undefined ? '' : ` (${Math.round(100 * hole.confidence)} %)`;
      add(range, `Accept${sure}`, 'lacuna.acceptHole', hole.index);
      add(range, 'Reject', 'lacuna.rejectHole', hole.index);
      if (position === 0) {
        add(range, 'Diff', 'lacuna.showDiff');
        if (running.preview.holes.length > 1) {
          add(range, 'Accept all', 'lacuna.acceptAll');
          add(range, 'Reject all', 'lacuna.rejectAll');
        }
      }
    });
    return lenses;
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const running = this.current;
    if (!running || this.previewUri(running.document).toString() !== uri.toString()) {
      return '';
    }
    return withFills(running.document.getText(), running.preview.holes);
  }

  private previewUri(document: vscode.TextDocument): vscode.Uri {
    return document.uri.with({ scheme, query: document.uri.scheme });
  }

  private onResult(running: Running, result: FillResult): void {
    if (this.current !== running) {
      return;
    }
    if (running.document.version !== running.preview.version || !running.preview.onResult(result.version, result.holes)) {
      this.refuse();
      return;
    }
    void vscode.commands.executeCommand('setContext', 'lacuna.filling', false);
    void vscode.commands.executeCommand('setContext', 'lacuna.previewReady', true);
    this.lensesChanged.fire();
    this.redraw();
    if (result.problem) {
      void vscode.window.showWarningMessage(`Lacuna: ${result.problem}`);
    }
  }

  private onError(running: Running, error: unknown): void {
    const mine = this.current === running;
    const cancelled = running.cancellation.token.isCancellationRequested;
    if (mine) {
      this.end();
    }
    if (error instanceof ResponseError && error.code === LSPErrorCodes.ContentModified) {
      if (mine) {
        void vscode.window.showWarningMessage('Lacuna: the text has changed meanwhile; nothing was applied.');
      }
    } else if (!cancelled && mine) {
      const message = error instanceof Error ? error.message : String(error);
      void vscode.window.showErrorMessage(`Lacuna: ${message}`);
    }
  }

  private onChange(event: vscode.TextDocumentChangeEvent): void {
    const running = this.current;
    if (!running || event.document !== running.document || event.contentChanges.length === 0 || this.applying) {
      return;
    }
    this.refuse();
  }

  private refuse(): void {
    this.end();
    void vscode.window.showWarningMessage('Lacuna: the text has changed: the preview is gone, nothing of it was applied.');
  }

  private readyHere(): Running | undefined {
    const running = this.current;
    if (!running?.preview.ready) {
      void vscode.window.setStatusBarMessage('Lacuna: there is no preview here', 3000);
      return undefined;
    }
    if (running.document.version !== running.preview.version) {
      this.refuse();
      return undefined;
    }
    return running;
  }

  private chosen(running: Running, index: number | undefined): Hole | undefined {
    const cursor = vscode.window.activeTextEditor?.selection.active ?? new vscode.Position(0, 0);
    return index === undefined ? running.preview.at(cursor) : running.preview.byIndex(index);
  }

  private async afterDecision(running: Running): Promise<void> {
    if (running.preview.holes.length > 0) {
      this.redraw();
      this.lensesChanged.fire();
      this.contentChanged.fire(this.previewUri(running.document));
      return;
    }
    const uri = this.previewUri(running.document).toString();
    this.end();
    for (const tab of vscode.window.tabGroups.all.flatMap((group) => group.tabs)) {
      if (tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === uri) {
        await vscode.window.tabGroups.close(tab);
      }
    }
  }

  private end(): void {
    const running = this.current;
    this.current = undefined;
    if (running) {
      running.cancellation.cancel();
      void vscode.commands.executeCommand('setContext', 'lacuna.filling', false);
      void vscode.commands.executeCommand('setContext', 'lacuna.previewReady', false);
      this.lensesChanged.fire();
      for (const editor of vscode.window.visibleTextEditors) {
        draw(editor, []);
      }
    }
  }

  private redraw(): void {
    const running = this.current;
    for (const editor of vscode.window.visibleTextEditors) {
      if (running && editor.document === running.document) {
        draw(editor, running.preview.holes);
      }
    }
  }
}
