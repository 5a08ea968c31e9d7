/** Scenario files of existing Trama, as its users have them, with the commands that read them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTrama, trama, type TramaProcess } from './trama-process.ts';

const definition = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  entrypoint: 'reserve',
  nodes: [
    {
      kind: 'task',
      id: 'reserve',
      action: { mode: 'sync', request: { url: '{{vars.BASE}}/stock/{{payload.id}}', verb: 'PUT' } },
      compensation: { url: '{{vars.BASE}}/stock/{{payload.id}}', verb: 'DELETE' },
      next: 'enough',
    },
    {
      kind: 'switch',
      id: 'enough',
      cases: [{ name: 'some', when: { '>': [{ var: 'nodes.reserve.response.body.left' }, 0] }, target: 'approve' }],
      default: 'none',
    },
    {
      kind: 'task',
      id: 'approve',
      action: {
        mode: 'async',
        request: {
          url: '{{vars.BASE}}/approvals',
          verb: 'POST',
          body: { to: '{{runtime.callback.signedUrl}}' },
        },
        callback: { timeoutMillis: 20_000, successWhen: { '==': [{ var: 'callback.body.approved' }, true] } },
      },
    },
    { kind: 'fail', id: 'none', reason: 'Nothing is left.' },
  ],
};

const approved = {
  payload: { id: 'a-1' },
  vars: { BASE: 'http://stock.example' },
  steps: {
    reserve: { status: 200, body: { left: 3 } },
    approve: { acceptedStatus: 202, body: { queued: true }, callbackBody: { approved: true, by: 'ann' } },
  },
};
const refused = {
  ...approved,
  steps: { ...approved.steps, approve: { acceptedStatus: 202, callbackBody: { approved: false } } },
};

let directory: string;
const files: Record<string, string> = {};
let mock: TramaProcess | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-scenarios-'));
  const documents = {
    definition,
    approved,
    refused,
    expected: { ...refused, expect: { status: 'SUCCEEDED' } },
    broken: { ...approved, steps: { reserve: { status: 200, callbackBody: {} }, aprove: { status: 1 } } },
  };
  for (const [name, document] of Object.entries(documents)) {
    files[name] = join(directory, `${name}.json`);
    await writeFile(files[name], JSON.stringify(document));
  }
});
afterEach(async () => {
  mock?.child.kill('SIGKILL');
  await mock?.ended;
  mock = undefined;
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const run = async (...args: readonly string[]): ReturnType<typeof trama> => trama(args.map((arg) => files[arg] ?? arg));

describe('scenario files of existing Trama', () => {
  it('are played by simulate', async () => {
    const { code, out } = await run('simulate', 'definition', 'approved', 'refused', '--json');
    expect(code).toBe(0);
    const { scenarios } = JSON.parse(out) as { scenarios: { result: { status: string; result: unknown } }[] };
    expect(scenarios.map(({ result }) => result)).toMatchObject([
      { status: 'SUCCEEDED', result: { approved: true, by: 'ann' } },
      { status: 'FAILED' },
    ]);
  });

  it('are checked and played by validate, which fails where one does not come as expected', async () => {
    const good = await run('validate', 'definition', 'approved');
    expect([good.code, good.notes]).toEqual([0, '']);
    expect(good.out).toContain('definition.json: valid');
    expect(good.out).toMatch(/SUCCEEDED after .* of virtual time/);

    const { code, out } = await run('validate', 'definition', 'approved', 'expected', 'broken', '--json');
    expect(code).toBe(1);
    const report = JSON.parse(out) as { files: { valid: boolean; errors: string[]; result?: { status: string } }[] };
    expect(report.files.map(({ valid, result }) => [valid, result?.status])).toEqual([
      [true, undefined],
      [true, 'SUCCEEDED'],
      [false, 'FAILED'],
      [false, undefined],
    ]);
    expect(report.files[3]?.errors).toEqual([
      'steps.reserve.callbackBody: Only an async node is accepted and called back; a sync one has status and body.',
      expect.stringMatching(/^steps\.aprove\.status: Must be an HTTP status code/),
    ]);
  });

  it.each(['validate', 'simulate'])('are only checked by %s --validate-only', async (command) => {
    const { code, out } = await run(command, 'definition', 'expected', '--validate-only');
    expect(code).toBe(0);
    expect(out).toContain('expected.json: valid');
    expect(out).not.toContain('FAILED');
    expect((await run(command, 'definition', 'broken', '--validate-only')).code).toBe(1);
  });

  it('need their definition before them', async () => {
    const { code, out } = await run('validate', 'approved', 'definition');
    expect(code).toBe(1);
    expect(out).toContain('no definition comes before it: trama validate <definition> <scenario...>');
  });

  it('are answered by mock, callbacks included', async () => {
    mock = startTrama(['mock', files['definition'] ?? '', '--port', '0', '--scenario', files['approved'] ?? '']);
    const [, url = ''] = await mock.said(/ is mocked at (\S+)\n[\s\S]*Ctrl-C stops it/);
    const args = ['run', files['definition'] ?? '', '--payload', '{"id":"a-1"}', '--json'];
    const { code, out } = await trama(args, { TRAMA_VAR_BASE: url });
    expect(JSON.parse(out)).toMatchObject({ status: 'SUCCEEDED', result: { approved: true, by: 'ann' } });
    expect(code).toBe(0);
  });
});
