// The settings, read in one place.
import * as vscode from 'vscode';
import { languageWanted, nested, sharedSettings } from './words';

export function settings(scope?: vscode.ConfigurationScope): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('lacuna', scope);
}

/** Why a document has no suggestions, or undefined if it has. */
export function reasonAgainst(document: vscode.TextDocument): string | undefined {
  const all = settings(document);
  if (!all.get<boolean>('enable')) {
    return 'Switched off (setting lacuna.enable).';
  }
  if (document.uri.scheme !== 'file' && document.uri.scheme !== 'untitled') {
    return `Documents of the kind '${document.uri.scheme}' have no suggestions.`;
  }
  if (!languageWanted(all.get<Record<string, boolean>>('languages') ?? {}, document.languageId)) {
    return `Switched off for ${document.languageId} (setting lacuna.languages).`;
  }
  return undefined;
}

/** What the server is told; what the user has not set is the daemon's to decide. */
export function serverSettings(): Record<string, unknown> {
  const all = settings();
  const values: Record<string, unknown> = {
    enable: all.get<boolean>('enable'),
    languages: all.get<object>('languages'),
    exclude: all.get<string[]>('exclude'),
    'inlineCompletion.trigger': all.get<string>('inlineCompletion.triggerMode'),
    profile: all.get<string>('profile') || undefined,
  };
  for (const name of sharedSettings) {
    const set = all.inspect(name);
    values[name] = set?.workspaceFolderValue ?? set?.workspaceValue ?? set?.globalValue;
  }
  return nested(values);
}

/** The options of the program. All but `arguments` count when it has to start the daemon. */
export function serverArguments(): string[] {
  const all = settings();
  const result = [...(all.get<string[]>('arguments') ?? ['lsp'])];
  for (const name of ['model', 'device']) {
    const value = all.get<string>(name);
    if (value) {
      result.push(`--${name}`, value);
    }
  }
  const minutes = all.get<number | null>('idleUnloadMinutes');
  if (typeof minutes === 'number') {
    result.push('--set', `idle.unloadMinutes=${minutes}`);
  }
  return result;
}
