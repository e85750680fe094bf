// What the tests that start the executable have in common.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const kDeadline = 120_000; // far more than anything here takes; only a hang reaches it
export const executable = process.env.LACUNA_EXECUTABLE;
assert.ok(executable, 'LACUNA_EXECUTABLE is not set');

// A folder and an environment of its own: no daemon and no settings of the user are met.
export function ownFolders(name) {
  const folder = mkdtempSync(join(tmpdir(), `lacuna_${name}_`));
  const environment = { PATH: process.env.PATH, HOME: folder };
  for (const kind of ['RUNTIME_DIR', 'STATE_HOME', 'CONFIG_HOME', 'CACHE_HOME', 'DATA_HOME']) {
    environment[`XDG_${kind}`] = join(folder, kind);
    mkdirSync(environment[`XDG_${kind}`], { mode: 0o700 });
  }
  return { folder, environment };
}

export async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
