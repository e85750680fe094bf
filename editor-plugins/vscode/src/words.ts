// What is said to the user. Knows no editor.
import type { Explanation, Status, StatusChange } from './protocol';

function milliseconds(seconds: number): string {
  return `${Math.round(seconds * 1000)} ms`;
}

/** Settings that are the server's under the same names; sent where the user has set them. */
export const sharedSettings = [
  'syntax',
  'inlineCompletion.maxTokens',
  'inlineCompletion.alternatives',
  'inlineCompletion.minConfidence',
  'inlineCompletion.severalLines',
  'inlineCompletion.speculate',
  'inlineCompletion.reuseEdits',
  'context.tokens',
  'context.folder',
];

/** `{'a.b': 1}` as `{a: {b: 1}}`, without what is undefined. */
export function nested(values: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const [group = '', member] = name.split('.');
    if (value !== undefined) {
      result[group] = member === undefined ? value : { ...(result[group] as object), [member]: value };
    }
  }
  return result;
}

/** Whether a file of this language gets suggestions. */
export function languageWanted(languages: Record<string, boolean>, language: string): boolean {
  return languages[language] ?? languages['*'] ?? true;
}

export function describeStatus(status: Status): string[] {
  const { model = {}, queue = {} } = status;
  const lines = [`model: ${model.name || 'not loaded yet'}, ${model.phase ?? 'unknown'}`];
  if (model.problem) {
    lines.push(`problem: ${model.problem}`);
  }
  if (model.device) {
    lines.push(`device: ${model.device}, numbers: ${model.numbers ?? '?'}`);
  }
  if (model.bytes) {
    lines.push(`size: ${(model.bytes / 1e6).toFixed(1)} MB, loaded in ${(model.loadSeconds ?? 0).toFixed(2)} s`);
  }
  const idle = Math.round(status.idleSeconds ?? 0);
  lines.push(`work: ${queue.running ?? 0} running, ${queue.waiting ?? 0} waiting, idle for ${idle} s`);
  if (status.lastSeconds) {
    lines.push(`last suggestion: ${milliseconds(status.lastSeconds)}`);
  }
  lines.push(
    `server: lacuna ${status.version ?? '?'}, process ${status.processId ?? '?'}, ${status.sessions ?? 1} sessions`,
  );
  for (const [name, { value, source }] of Object.entries(status.settings ?? {})) {
    lines.push(`setting: ${name} = ${JSON.stringify(value)} (${source})`);
  }
  if (status.logPath) {
    lines.push(`log: ${status.logPath}`);
  }
  if (status.document && !status.document.active) {
    lines.push(`this file: no suggestions, ${status.document.reason ?? 'no reason given'}`);
  }
  return lines;
}

export function describeExplanation(last: Explanation): string[] {
  const lines = [last.outcome];
  if (last.uri && last.position) {
    const name = decodeURIComponent(last.uri.slice(last.uri.lastIndexOf('/') + 1));
    lines.push(`asked at ${name}:${last.position.line + 1}:${last.position.character + 1}`);
  }
  if (last.seconds) {
    lines.push(`took ${milliseconds(last.seconds)}, confidence ${(last.confidence ?? 0).toFixed(2)}`);
  }
  return lines;
}

export type Activity = 'off' | 'missing' | 'starting' | 'stopped' | 'running';

/** The status bar item: its text with an icon, and one sentence. */
export function statusItem(
  activity: Activity,
  change: StatusChange | undefined,
  reason = '',
): { text: string; detail: string; warn: boolean } {
  switch (activity) {
    case 'off':
      return { text: '$(circle-slash) lacuna', detail: reason || 'Switched off.', warn: false };
    case 'missing':
      return { text: '$(warning) lacuna', detail: reason, warn: true };
    case 'starting':
      return { text: '$(loading~spin) lacuna', detail: 'The server is starting.', warn: false };
    case 'stopped':
      return { text: '$(warning) lacuna', detail: reason || 'The server has ended.', warn: true };
    case 'running':
      break;
  }
  const model = change?.model ? `${change.model}` : 'lacuna';
  const detail = change?.message || reason || 'Ready.';
  if (change?.kind === 'Error') {
    return { text: `$(error) ${model}`, detail, warn: true };
  }
  if (change?.kind === 'Inactive') {
    return { text: `$(circle-slash) ${model}`, detail, warn: false };
  }
  if (change?.phase === 'loading') {
    return { text: `$(loading~spin) ${model} loading`, detail, warn: false };
  }
  const words = [change?.busy ? `$(sync~spin) ${model}` : `$(edit-sparkle) ${model}`];
  if (change?.device) {
    words.push(change.device);
  }
  if (change?.lastSeconds) {
    words.push(milliseconds(change.lastSeconds));
  }
  return { text: words.join(' · '), detail, warn: change?.kind === 'Warning' };
}
