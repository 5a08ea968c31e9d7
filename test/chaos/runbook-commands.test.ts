/** Every command of the runbooks, run as written against a real deployment: what cannot be asked or done fails here. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileCache, type Downstream, main, startDownstream } from '../e2e/trama-process.ts';
import { documentedBlocks } from '../repo/documented-blocks.ts';
import { openClusterStage, until } from './cluster-stage.ts';
import type { Pod } from './pod.ts';

const key = 'trama_rehearsal';
const stage = openClusterStage({
  redis: 'standalone',
  env: {
    SECURITY_AUTH_ENABLED: 'true',
    SECURITY_AUTH_APIKEYS: JSON.stringify([
      { id: 'rehearsal', sha256: createHash('sha256').update(key).digest('hex'), roles: ['admin'] },
    ]),
    RUNTIME_CALLBACK_KEYS: JSON.stringify([{ kid: '2026-11', secret: 'a secret of the rehearsal, and more' }]),
  },
});

const blocks = [...documentedBlocks]
  .filter(([path]) => path.startsWith('docs/operating/runbooks/'))
  .flatMap(([, each]) => each)
  // Backups and nodes of a cluster have rehearsals on servers of their own: `restore.test.ts`, `cluster-outage.test.ts`.
  .filter(({ language, text }) => language === 'sh' && !/\$BACKUP|\$REDIS_NODE/.test(text));

let bin: string;
let pod: Pod;
let downstream: Downstream;
/** What the pages leave to the reader. */
const places = new Map<string, string>();

beforeAll(async () => {
  bin = mkdtempSync(join(tmpdir(), 'trama-runbooks-'));
  const shim = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  shim('trama', `exec '${process.execPath}' '${main}' "$@"`);
  // An answer that is an error is none.
  shim('curl', `PATH="\${PATH#*:}" exec curl --fail-with-body "$@"`);
  downstream = await startDownstream(({ path }, response) => {
    response.statusCode = path.includes('refused') ? 400 : 200;
    response.end('{}');
  });
  [pod] = (await stage.start('worker')) as [Pod];
  await prepare();
});

afterAll(async () => {
  await downstream.close();
  rmSync(bin, { recursive: true });
});

async function ask(method: string, path: string, body: unknown): Promise<{ readonly id: string }> {
  const answer = await fetch(`${pod.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect([path, answer.status]).toEqual([path, 200]);
  return (await answer.json()) as { readonly id: string };
}

/** One execution of each kind that a page is about. */
async function prepare(): Promise<void> {
  const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
  const call = (verb: string, path: string): object => ({ verb, url: `${downstream.url}/${path}` });
  const definition = {
    name: 'order',
    version: '7',
    failureHandling: once,
    compensationHandling: once,
    steps: [
      { name: 'pay', up: call('PUT', 'pay'), down: call('DELETE', 'pay-{{payload.undo}}') },
      { name: 'ship', up: call('POST', 'ship-refused') },
    ],
  };
  const approval = {
    name: 'approval',
    version: '1',
    entrypoint: 'approve',
    nodes: [
      {
        kind: 'task',
        id: 'approve',
        action: { mode: 'async', request: call('POST', 'ask'), callback: { timeoutMillis: 3_600_000 } },
      },
    ],
  };
  places.set('definition id', (await ask('POST', '/workflows/definitions', definition)).id);
  const start = async (name: string, path: string, body: object, status: string): Promise<void> => {
    const { id } = await ask('POST', path, body);
    places.set(name, id);
    await until(
      async () =>
        ((await ask('GET', `/workflows/${id}`, undefined)) as unknown as { status: string }).status === status,
    );
  };
  const run = '/workflows/definitions/order/7/run';
  await start('failed', run, { payload: { undo: 'done' } }, 'FAILED');
  await start('corrupted', run, { payload: { undo: 'refused' } }, 'CORRUPTED');
  await start('waiting', '/workflows/run', { definition: approval }, 'WAITING_CALLBACK');
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  await start('sleeping', run, { payload: { undo: 'done' }, startAt: tomorrow }, 'SLEEPING');
  const untold = { ...definition, name: 'untold', steps: definition.steps.slice(0, 1) };
  const body = {
    definition: { ...untold, onSuccessCallback: call('POST', 'told-refused') },
    payload: { undo: 'done' },
  };
  await start('untold', '/workflows/run', body, 'SUCCEEDED');
  places.set('the volume of Postgres', '/');
}

/** Which execution `<id>` is, by page. */
const subjects: Readonly<Record<string, string>> = {
  'bad-definition': 'sleeping',
  'callback-key-rotation': 'waiting',
  hooks: 'untold',
  'stuck-or-corrupted': 'corrupted',
};

/** A block as it can be run: without what needs Kubernetes, and with the places filled in. */
function script(path: string, text: string): string {
  const page = /([\w-]+)\.md$/.exec(path)?.[1] ?? '';
  const id = places.get(subjects[page] ?? 'failed') ?? '';
  return text
    .split('\n')
    .filter((line) => !/^(?:kubectl|export) /.test(line))
    .map((line) =>
      line.replaceAll(/<([a-z][^<>|]*)>/g, (_all, name: string) =>
        name === 'id' || name === 'a slow one' ? id : (places.get(name) ?? `no ${name}`),
      ),
    )
    .join('\n');
}

function shell(text: string): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', text], {
    env: {
      ...compileCache(),
      ...stage.env,
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      HOME: bin,
      TRAMA_URL: pod.url,
      TRAMA_API_KEY: key,
      AUTH: `Authorization: Bearer ${key}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (said += part));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, said });
    });
  });
}

it('there are many', () => {
  expect(blocks.length).toBeGreaterThan(25);
});

/** The block before may have begun a retry, whose outcome the next one depends on. */
const isAtRest = async (): Promise<boolean> => {
  const path = `/workflows/${places.get('corrupted') ?? ''}`;
  const { status } = (await ask('GET', path, undefined)) as unknown as { status: string };
  return status === 'CORRUPTED' || status === 'FAILED';
};

it.each(blocks)('$place', async ({ path, text }) => {
  await until(isAtRest);
  const { code, said } = await shell(script(path, text));
  expect([code, said]).toEqual([0, said]);
  expect(said).not.toMatch(/\bERR\b|NOAUTH|parse error|refused:/);
});
