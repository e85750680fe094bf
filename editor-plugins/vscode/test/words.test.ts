import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { describeExplanation, describeStatus, languageWanted, nested, sharedSettings, statusItem } from '../src/words';

describe('languages', () => {
  it('are on by name, else as * says', () => {
    assert.equal(languageWanted({ '*': true, markdown: false }, 'markdown'), false);
    assert.equal(languageWanted({ '*': true, markdown: false }, 'python'), true);
    assert.equal(languageWanted({ '*': false, python: true }, 'python'), true);
    assert.equal(languageWanted({ '*': false, python: true }, 'go'), false);
    assert.equal(languageWanted({}, 'go'), true);
  });
});

describe('the settings', () => {
  it('go to the server as it names them, what is not set does not', () => {
    assert.deepEqual(nested({ enable: true, 'context.tokens': 0, 'context.folder': false, profile: undefined }), {
      enable: true,
      context: { tokens: 0, folder: false },
    });
  });

  it('that are sent are in the manifest', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
      contributes: { configuration: { properties: Record<string, unknown> } };
    };
    for (const name of sharedSettings) {
      assert.ok(manifest.contributes.configuration.properties[`lacuna.${name}`], name);
    }
  });
});

describe('the status', () => {
  it('names model, device, work, and why a file is left out', () => {
    const lines = describeStatus({
      version: '0.1', processId: 7, sessions: 2, idleSeconds: 3.2, lastSeconds: 0.0424, logPath: '/l',
      model: { phase: 'ready', name: 'small', device: 'cpu', numbers: 'f32', bytes: 26e6, loadSeconds: 0.25 },
      queue: { running: 1, waiting: 0 }, document: { active: false, reason: 'excluded: .env' },
      settings: { profile: { value: 'quality', source: 'editor' } },
    });
    assert.deepEqual(lines, [
      'model: small, ready', 'device: cpu, numbers: f32', 'size: 26.0 MB, loaded in 0.25 s',
      'work: 1 running, 0 waiting, idle for 3 s', 'last suggestion: 42 ms',
      'server: lacuna 0.1, process 7, 2 sessions', 'setting: profile = "quality" (editor)', 'log: /l', 'this file: no suggestions, excluded: .env',
    ]);
  });

  it('says what is wrong with the model', () => {
    const lines = describeStatus({ model: { phase: 'failed', problem: 'the file is not there' } });
    assert.deepEqual(lines.slice(0, 2), ['model: not loaded yet, failed', 'problem: the file is not there']);
  });
});

describe('the explanation', () => {
  it('says where, how long and how sure', () => {
    const lines = describeExplanation({
      uri: 'file:///a/b%20c.py', position: { line: 4, character: 7 }, outcome: 'too unsure', seconds: 0.05, confidence: 0.123,
    });
    assert.deepEqual(lines, ['too unsure', 'asked at b c.py:5:8', 'took 50 ms, confidence 0.12']);
  });
});

describe('the status bar', () => {
  it('shows model, device and the last time', () => {
    const { text } = statusItem('running', { busy: false, kind: 'Normal', model: 'small', device: 'cpu', lastSeconds: 0.042 });
    assert.equal(text, '$(edit-sparkle) small · cpu · 42 ms');
  });

  it('shows that a model is loading', () => {
    const { text, detail } = statusItem('running', { busy: true, kind: 'Normal', phase: 'loading', model: 'small', message: 'loading small' });
    assert.equal(text, '$(loading~spin) small loading');
    assert.equal(detail, 'loading small');
  });

  it('shows an error and a left out file', () => {
    assert.ok(statusItem('running', { busy: false, kind: 'Error', message: 'no model' }).warn);
    assert.equal(statusItem('running', { busy: false, kind: 'Inactive', message: 'excluded: .env' }).detail, 'excluded: .env');
  });

  it('says why nothing runs', () => {
    assert.equal(statusItem('off', undefined, 'Switched off for markdown').detail, 'Switched off for markdown');
    assert.ok(statusItem('missing', undefined, "'lacuna' cannot be started").warn);
    assert.ok(statusItem('stopped', undefined).warn);
  });
});

describe('package.json', () => {
  const text = readFileSync('package.json', 'utf8');
  const manifest = JSON.parse(text) as {
    contributes: {
      commands: { command: string }[];
      keybindings: { key: string }[];
      configuration: { properties: Record<string, { scope?: string }> };
    };
    capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
  };
  const commands = manifest.contributes.commands.map((command) => command.command);

  it('binds nothing to Tab or Ctrl+Right', () => {
    for (const { key } of manifest.contributes.keybindings) {
      assert.doesNotMatch(key, /(^|\+)(tab|right)$/);
    }
  });

  it('names no command that the server registers', () => {
    for (const taken of ['didAccept', 'explainLast', 'fillHoles', 'cancel', 'unloadModel', 'shutdownDaemon']) {
      assert.ok(!commands.includes(`lacuna.${taken}`));
    }
  });

  it('lists every command that the extension registers, and no other', () => {
    const source = readFileSync('src/commands.ts', 'utf8');
    const body = source.slice(source.indexOf('const commands:'));
    const registered = [...body.matchAll(/^ {4}(\w+)(?::|,$)/gm)].map((match) => `lacuna.${match[1]}`);
    assert.deepEqual(registered.filter((name) => name !== 'lacuna.previewFill').sort(), [...commands].sort());
  });

  it('lets no workspace choose a program, a model or a device before it is trusted', () => {
    const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    const machine = Object.entries(manifest.contributes.configuration.properties)
      .filter(([, property]) => property.scope?.startsWith('machine'))
      .map(([name]) => name);
    assert.deepEqual(machine.sort(), [...restrictedConfigurations].sort());
  });
});
