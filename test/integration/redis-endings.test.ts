/**
 * Connections to Redis that end in every state, in every way: the process lives, what was under way fails as unavailable, and the
 * queue comes back by itself.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { QueueUnavailable } from '../../src/ports/queue.ts';
import { TestAuthority } from '../certificate-maker.ts';
import { EndingProxy, type ProxyMoment } from '../servers/ending-proxy.ts';
import { RedisServer } from '../servers/redis.ts';
import type { ProxyEnding } from '../servers/tcp-proxy.ts';
import { gatherUncaught } from '../uncaught.ts';
import { openQueue, settingsFor, standaloneAt } from './redis-queues.ts';

const authority = new TestAuthority();
const context = createSecureContext(authority.issue({ commonName: 'server', names: ['127.0.0.1'] }));
const password = 'secret';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const endings: Readonly<Record<string, ProxyEnding>> = {
  'a reset': { close: 'reset' },
  'its end': { close: 'end' },
  'an error and its end': { bytes: bytes('-ERR max number of clients reached\r\n'), close: 'end' },
  'half an answer': { bytes: bytes('*3\r\n$100\r\nabc'), close: 'end' },
  'half an answer and a reset': { bytes: bytes('*3\r\n$100\r\nabc'), close: 'reset' },
  'another protocol': { bytes: bytes('HTTP/1.1 400 Bad Request\r\n\r\n'), close: 'stay' },
  'an array without end': { bytes: bytes('*1\r\n'.repeat(20_000)), close: 'end' },
  'impossible lengths': { bytes: bytes('*99999999999\r\n$-9\r\n*-7\r\n'), close: 'end' },
};

/** Behind an answer; where a command is under way, the first is taken for its answer. */
const strayAnswers: Readonly<Record<string, ProxyEnding>> = {
  'an answer too many': { bytes: bytes('+OK\r\n'.repeat(20)), close: 'stay' },
  'nothing, too many times': { bytes: bytes('$-1\r\n*-1\r\n_\r\n'.repeat(10)), close: 'stay' },
  'an unknown type, and nothing': { bytes: bytes('!\u0001garbage\r\n$-1\r\n$-1\r\n$-1\r\n'), close: 'stay' },
  'an unknown push': { bytes: bytes('>1\r\n$-1\r\n>2\r\n$7\r\nmessage\r\n_\r\n'), close: 'end' },
};

const moments: Readonly<Record<string, ProxyMoment>> = {
  'it is accepted': { at: 'accept' },
  'the handshake begins': { at: 'handshake' },
  'it says who it is': { at: 'asked', text: 'auth' },
  'it was let in, in the same read': { at: 'answered', text: 'auth' },
  'it is asked how it is': { at: 'asked', text: 'info' },
  'it is ready, in the same read': { at: 'answered', text: 'info' },
  'a script is under way': { at: 'asked', text: 'eval' },
  'a script is answered': { at: 'answered', text: 'eval' },
  'it waits for a ring': { at: 'asked', text: 'bzmpop' },
};

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start({ directives: { requirepass: password }, client: { password } });
});
afterAll(() => server.close());

const shard = { count: 64, index: 7 };
const reached = (secure: boolean): readonly [string, ProxyMoment][] =>
  Object.entries(moments).filter(([, { at }]) => secure || at !== 'handshake');

describe.each([
  ['in the clear', false],
  ['by TLS', true],
])('a connection %s ends', (_way, secure) => {
  it.each(reached(secure))('when %s', async (_name, moment) => {
    const uncaught = gatherUncaught();
    const proxy = await EndingProxy.listen(server.port, secure ? context : undefined);
    onTestFinished(() => proxy.close());
    const tls = secure ? { ca: authority.cert } : undefined;
    const settings = settingsFor(standaloneAt(proxy.port), { password, ...(tls !== undefined && { tls }) });
    const { queue } = await openQueue(settings);
    const isUp = (): Promise<unknown> => queue.count([shard]).catch((error: unknown) => error);
    const ways = { ...endings, ...(moment.at === 'answered' && strayAnswers) };
    for (const [name, ending] of Object.entries(ways)) {
      const seen = { end: false };
      const ended = proxy.endNext(moment, ending).then(() => (seen.end = true));
      proxy.cut();
      for (let answer: unknown; !seen.end || answer instanceof Error;) {
        answer = await isUp();
        const isTaken = name in strayAnswers;
        if (answer instanceof Error && !isTaken)
          expect({ name, answer }).toEqual({ name, answer: expect.any(QueueUnavailable) });
        await pause(10);
      }
      await ended;
      expect({ name, uncaught }).toEqual({ name, uncaught: [] });
    }
  });
});
