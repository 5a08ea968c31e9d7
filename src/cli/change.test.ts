/** Changing many runs: which requests go out, what is told meanwhile, and what is told where the server goes away in between. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from './program.ts';
import { createTerminal } from './terminal.ts';

interface Request {
  readonly action: string;
  readonly filter?: object;
  readonly ids?: readonly string[];
  readonly dryRun: boolean;
  readonly reason?: string;
}

const ids = Array.from({ length: 120 }, (_, n) => `01a21519-0db2-75fd-baf0-${String(n).padStart(12, '0')}`);

let server: Server;
let url: string;
let requests: Request[];
/** How the server answers a request that changes something. */
let answer: (request: Request) => { readonly status?: number; readonly body: object };

beforeEach(async () => {
  requests = [];
  answer = ({ ids: named = [] }) => ({ body: { matched: 50, done: 50, ids: named, errors: [], more: false } });
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const asked = JSON.parse(text) as Request;
      requests.push(asked);
      const others = [{ state: 'BACKOFF', count: 40 }];
      const { status = 200, body } = asked.dryRun
        ? { body: { matched: ids.length, done: 0, ids, errors: [], more: false, others } }
        : answer(asked);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function trama(...args: readonly string[]): Promise<{ code: number; out: string; notes: string }> {
  const texts = { out: '', err: '' };
  const streams = { out: (text: string) => (texts.out += text), err: (text: string) => (texts.err += text) };
  const code = await runCli([...args, '--url', url], createTerminal(streams, {}, false));
  return { code, out: texts.out, notes: texts.err };
}

describe('a change of all that match', () => {
  it('asks which match, then changes those, some with each request', async () => {
    const { code, out, notes } = await trama('wake', '--where', 'name=order', '--host', 'bank', '--reason', 'now');
    expect(code).toBe(0);
    expect(requests[0]).toEqual({ action: 'wake', filter: { host: 'bank', name: 'order' }, dryRun: true });
    expect(requests.slice(1).map(({ ids: named, reason }) => [named?.length, reason])).toEqual([
      [50, 'now'],
      [50, 'now'],
      [20, 'now'],
    ]);
    expect(requests.slice(1).flatMap(({ ids: named }) => named)).toEqual(ids);
    expect(out.trimEnd().split('\n')).toEqual(ids.map((id) => `${id}  waking`));
    expect(notes).toBe(
      '120 done, 0 refused.\n' +
        'Others match and wait for something that wake does not change: 40 BACKOFF (for their next attempt).\n',
    );
  });

  it('changes nothing in a dry run', async () => {
    const { code, notes } = await trama('retry', '--where', 'name=order', '--dry-run', '--max', '7');
    expect([code, requests]).toEqual([0, [{ action: 'retry', filter: { name: 'order' }, dryRun: true, max: 7 }]]);
    expect(notes).toContain('120 match, 0 refused.');
  });

  it('says how far it came when the server goes away', async () => {
    answer = ({ ids: named = [] }) =>
      requests.length > 2
        ? { status: 503, body: { errors: ['The store cannot answer now.'], code: 'store_unavailable' } }
        : { body: { matched: 50, done: 50, ids: named, errors: [], more: false } };
    const { code, notes } = await trama('cancel', '--where', 'name=order');
    expect([code, notes]).toEqual([
      2,
      'The store cannot answer now.\n50 of 120 were done before; run it again for the rest.\n',
    ]);
  });

  it('stops where the server leaves some of them, and lists what refused', async () => {
    const [first = '', second = '', ...rest] = ids.slice(0, 50);
    const errors = [{ id: first, code: 'state_conflict', errors: ['It is over.'] }];
    answer = () => ({ body: { matched: 50, done: 1, ids: [second], errors, more: rest.length > 0 } });
    const { code, out, notes } = await trama('terminate', '--where', 'name=order');
    expect([code, requests.length, out]).toEqual([1, 2, `${second}  terminating\n`]);
    expect(notes).toContain(`${first}  refused: It is over.\n1 done, 1 refused. There are more: run it again.\n`);
  });
});
