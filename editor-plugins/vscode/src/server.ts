// The language server: started with the first document that is to have suggestions, ended when there is none.
import { spawn } from 'node:child_process';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  State,
  TransportKind,
  type LanguageClientOptions,
  type ServerOptions,
} from 'vscode-languageclient/node';
import { reasonAgainst, serverArguments, serverSettings, settings } from './config';
import type { Activity } from './words';
import type { StatusChange } from './protocol';

// A server that ends by itself is started again so often within so many milliseconds.
const maxRestarts = 4;
const restartWindow = 180_000;

export class Server implements vscode.Disposable {
  client: LanguageClient | undefined;
  activity: Activity = 'off';
  reason = '';
  status: StatusChange | undefined;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onChanged = this.changed.event;
  private restarts: number[] = [];
  private work: Promise<void> = Promise.resolve();

  constructor(readonly output: vscode.LogOutputChannel) {}

  /** Starts or ends the server, as the open documents and the settings want it. */
  refresh(): Promise<void> {
    return this.queue(async () => {
      const wanted = vscode.workspace.textDocuments.some((document) => reasonAgainst(document) === undefined);
      if (wanted && !this.client) {
        await this.start();
      } else if (!wanted && this.client) {
        await this.stop();
      }
      if (!wanted) {
        this.set('off');
      }
    });
  }

  restart(): Promise<void> {
    this.restarts = [];
    return this.queue(() => this.stop()).then(() => this.refresh());
  }

  /** Ends our server and the daemon. */
  shutDown(): Promise<void> {
    return this.queue(async () => {
      await this.stop();
      // A server that still has its editor when the daemon ends starts another daemon. So this is sent by a server of
      // its own, with the end of that in the same piece.
      const messages = [
        { id: 1, method: 'initialize', params: { processId: null, capabilities: {} } },
        { method: 'initialized', params: {} },
        { id: 2, method: 'workspace/executeCommand', params: { command: 'lacuna.shutdownDaemon', arguments: [] } },
        { id: 3, method: 'shutdown' },
        { method: 'exit' },
      ];
      const text = messages
        .map((message) => JSON.stringify({ jsonrpc: '2.0', ...message }))
        .map((body) => `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
        .join('');
      const path = settings().get<string>('path') || 'lacuna';
      const child = spawn(path, serverArguments(), { stdio: ['pipe', 'ignore', 'ignore'], timeout: 10_000 });
      const ended = new Promise<void>((resolve) => {
        child.on('error', () => resolve()).on('exit', () => resolve());
      });
      child.stdin.on('error', () => {}).write(text);
      await ended;
    });
  }

  /** Tells what the server has said of itself, or what we have measured. */
  update(change: Partial<StatusChange>): void {
    this.status = { busy: false, kind: 'Normal', ...this.status, ...change };
    this.changed.fire();
  }

  dispose(): void {
    void this.queue(() => this.stop());
  }

  private queue(step: () => Promise<void>): Promise<void> {
    this.work = this.work.then(step, step);
    return this.work;
  }

  private set(activity: Activity, reason = ''): void {
    this.activity = activity;
    this.reason = reason;
    void vscode.commands.executeCommand('setContext', 'lacuna.running', activity === 'running');
    this.changed.fire();
  }

  private async start(): Promise<void> {
    const path = settings().get<string>('path') || 'lacuna';
    const server: ServerOptions = {
      command: path,
      args: serverArguments(),
      transport: undefined as TransportKind | undefined,
    };
    const client = new LanguageClient('lacuna', 'Lacuna', server, this.options());
    client.registerFeature({
      fillClientCapabilities: (capabilities) => {
        capabilities.experimental = { lacuna: { previewFill: true } };
      },
      initialize: () => {},
      getState: () => ({ kind: 'static' }),
      clear: () => {},
    });
    this.client = client;
    this.status = undefined;
    this.set('starting');
    client.onDidChangeState((change) => {
      if (this.client === client && change.newState === State.Running) {
        this.set('running');
      } else if (this.client === client && change.newState === State.Stopped && this.activity === 'running') {
        this.set('stopped', 'The server has ended.');
      }
    });
    client.onNotification('didChangeStatus', (change: StatusChange) => this.update(change));
    try {
      await client.start();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.output.error(`cannot start '${path}': ${message}`);
      const missing = message.includes('ENOENT') || message.includes('failed');
      this.client = undefined;
      this.set(
        'missing',
        missing ? `'${path}' cannot be started: set lacuna.path, or put lacuna on the PATH.` : message,
      );
    }
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.status = undefined;
    if (client) {
      await client.dispose(2000).catch((error: unknown) => this.output.warn(`end of the server: ${String(error)}`));
    }
  }

  private options(): LanguageClientOptions {
    const wanted = (document: vscode.TextDocument) => reasonAgainst(document) === undefined;
    return {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
      outputChannel: this.output,
      initializationOptions: serverSettings(),
      progressOnInitialization: false,
      middleware: {
        // A document without suggestions is not sent.
        didOpen: (document, next) => (wanted(document) ? next(document) : Promise.resolve()),
        didChange: (event, next) => (wanted(event.document) ? next(event) : Promise.resolve()),
        didSave: (document, next) => (wanted(document) ? next(document) : Promise.resolve()),
        didClose: (document, next) => (wanted(document) ? next(document) : Promise.resolve()),
        provideCodeActions: (document, range, context, token, next) =>
          wanted(document) ? next(document, range, context, token) : [],
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const manual = settings(document).get('inlineCompletion.triggerMode') === 'manual';
          const automatic = context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
          if (!wanted(document) || (manual && automatic)) {
            return [];
          }
          const start = Date.now();
          try {
            const result = await next(document, position, context, token);
            const items = Array.isArray(result) ? result : (result?.items ?? []);
            if (items.length > 0 && !token.isCancellationRequested) {
              this.update({ lastSeconds: (Date.now() - start) / 1000 });
            }
            return result;
          } catch (error) {
            // A pop-up while typing helps nobody; the command Explain Last Suggestion does.
            this.output.warn(`no suggestion: ${String(error)}`);
            return [];
          }
        },
        workspace: {
          // A change of ours starts the server anew, with the new settings: see extension.ts. To send them to the one
          // that is about to end would start it again.
          didChangeConfiguration: () => Promise.resolve(),
          configuration: (params) => params.items.map((item) => (item.section === 'lacuna' ? serverSettings() : null)),
        },
      },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue }),
        closed: () => this.onClosed(),
      },
    };
  }

  private onClosed(): { action: CloseAction; handled: boolean } {
    const now = Date.now();
    this.restarts = this.restarts.filter((time) => now - time < restartWindow);
    if (this.restarts.length >= maxRestarts) {
      this.client = undefined;
      this.set('stopped', 'The server ends again and again; the command Restart Server tries once more.');
      this.output.error(this.reason);
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    this.restarts.push(now);
    this.output.warn('the server has ended; it is started again');
    return { action: CloseAction.Restart, handled: true };
  }
}
