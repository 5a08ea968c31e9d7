/** Answers as servers really send them, to calls and to fetches of tokens: what is tolerated, and what is of unknown outcome. */
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SpokenAnswer, speak, toleratedAnswers, unknownAnswers } from '../../spoken-answers.ts';
import { attempts, openStage } from '../stage/stage.ts';

const stage = openStage({ TRAMA_SECRET_CLIENT: 'client-of-test', TRAMA_SECRET_WORD: 'word-of-test' });

const answers = [...toleratedAnswers, ...unknownAnswers];
const numbered = answers.map((answer, n) => ({ ...answer, n }));

/** Answers `/call/<n>` and `/token/<n>` as the n-th answer says, and everything else with 204. */
const sockets = new Set<Socket>();
const requests = new Map<string, number>();
const server = createServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(socket));
  let seen = '';
  socket.on('data', (chunk) => {
    seen += chunk.toString('latin1');
    const end = seen.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(seen)?.[1] ?? 0);
    if (end < 0 || seen.length < end + 4 + length) return;
    const [, path = '', what, n] = /^\w+ (\/(\w+)\/(\d+))? /.exec(seen) ?? [];
    seen = '';
    requests.set(path, (requests.get(path) ?? 0) + 1);
    if (n === undefined) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
    else speak(socket, numbered[Number(n)]!, what === 'token' ? '{"access_token":"spoken-token"}' : '{"a":1}');
  });
});
let url = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function outcomeOf({ means }: SpokenAnswer): 'succeeded' | 'rejected' | 'unknown' {
  if (means === 'unknown') return 'unknown';
  return means.status < 300 ? 'succeeded' : 'rejected';
}

describe('a call', () => {
  it.concurrent.each(numbered)('$line: $what', async (answer) => {
    const saga = stage.saga(`spoken-${String(answer.n)}`);
    const request = { url: `${url}/call/${String(answer.n)}`, verb: answer.verb ?? 'POST' };
    const document = await stage.finish(
      saga.graph([saga.task('a', { compensation: { url: `${url}/`, verb: 'POST' } }, request)]),
    );
    const outcome = outcomeOf(answer);
    expect(attempts(await stage.calls(document.id))).toEqual([
      `a UP 1 ${outcome}`,
      ...(outcome === 'unknown' ? ['a DOWN 1 succeeded'] : []),
    ]);
    expect(requests.get(`/call/${String(answer.n)}`)).toBe(1);
    if (outcome === 'succeeded') {
      expect(document.result).toEqual(answer.means !== 'unknown' && answer.means.isEmpty ? null : { a: 1 });
    }
  });
});

describe('a fetch of a token', () => {
  it.concurrent.each(numbered.filter(({ verb }) => verb === undefined))('$line: $what', async (answer) => {
    const saga = stage.saga(`spoken-token-${String(answer.n)}`);
    const auth = {
      type: 'oauth2ClientCredentials',
      tokenUrl: `${url}/token/${String(answer.n)}`,
      clientIdSecret: 'CLIENT',
      clientSecretSecret: 'WORD',
    };
    const document = await stage.finish(saga.graph([saga.task('a', {}, { url: `${url}/`, auth })]));
    const hasToken = answer.means !== 'unknown' && answer.means.isEmpty !== true;
    expect(attempts(await stage.calls(document.id))).toEqual([`a UP 1 ${hasToken ? 'succeeded' : 'unsent'}`]);
    expect(requests.get(`/token/${String(answer.n)}`)).toBe(1);
  });
});

describe('the documentation', () => {
  const text = readFileSync(new URL('../../../docs/guide/execution.md', import.meta.url), 'utf8');
  const section = /\n## What of HTTP is tolerated\n([\s\S]*?)\n## /.exec(text)?.[1] ?? '';
  const rows = [...section.matchAll(/^\| (.+?) \| (.+?) \|$/gm)].map(([, line = '', means = '']) => ({ line, means }));

  it.each([
    ['tolerated', toleratedAnswers],
    ['unknown', unknownAnswers],
  ])('lists what is %s, and all of it is tested', (means, tested) => {
    const listed = rows.filter((row) => row.means === means).map(({ line }) => line);
    expect(listed).toEqual([...new Set(tested.map(({ line }) => line))]);
  });
});
