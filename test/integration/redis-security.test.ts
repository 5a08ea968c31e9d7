/** TLS and users of one server. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { authority, clientCertificate, clientKey, serverCertificate, serverKey } from '../certificates.ts';
import { freePorts } from '../servers/free-ports.ts';
import { RedisServer } from '../servers/redis.ts';
import { beginToOpen, markNow, openQueue, patience, settingsFor, standaloneAt } from './redis-queues.ts';

const shard = { count: 64, index: 7 };
const tls = { ca: authority, cert: clientCertificate, key: clientKey };

describe('a server that wants certificates and a user', () => {
  let directory: string;
  let server: RedisServer;
  let tlsPort: number;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trama-redis-tls-'));
    const files = { 'ca.pem': authority, 'cert.pem': serverCertificate, 'key.pem': serverKey };
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(directory, name), text)));
    [tlsPort] = (await freePorts(1)) as [number];
    server = await RedisServer.start({
      directives: {
        'tls-port': String(tlsPort),
        'tls-ca-cert-file': join(directory, 'ca.pem'),
        'tls-cert-file': join(directory, 'cert.pem'),
        'tls-key-file': join(directory, 'key.pem'),
      },
    });
    // What the queue needs, and nothing else.
    const rules = [
      '~*test-*',
      '+@scripting',
      '+@sortedset',
      '+@hash',
      '+@keyspace',
      '+@string',
      '+info',
      '+hello',
      '+time',
    ];
    await server.admin.call('ACL', 'SETUSER', 'trama', 'on', '>secret', ...rules, '+client|setname');
  });

  afterAll(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });

  const account = { username: 'trama', password: 'secret' };

  it('serves over TLS, bell included, clients that show the right certificate', async () => {
    const settings = settingsFor(standaloneAt(tlsPort), { tls, ...account });
    const { queue, rings } = await openQueue(settings);
    await markNow(queue, shard);
    expect(await queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }])).toEqual([]);
    expect((await queue.heartbeat('{}', 1000)).members).toHaveLength(1);
    await queue.ring('pod-1/a', { shard, delayMillis: 0 });
    await vi.waitFor(() => {
      expect(rings).toHaveLength(1);
    }, patience);
    await queue.leave();
    await queue.drop(shard);
  });

  describe('refuses, and says so', () => {
    const cases = [
      ['its authority is unknown', { tls: { cert: clientCertificate, key: clientKey } }, /certificate/],
      ['no certificate is shown', { tls: { ca: authority } }, /alert|closed|ECONNRESET|EPIPE/i],
      ['TLS is forgotten', {}, /does not answer/],
    ] as const;
    /** Opened at once: each takes its time. */
    let queues: ReadonlyMap<string, ReturnType<typeof beginToOpen>>;

    beforeAll(() => {
      const settings = (tls: object) => settingsFor(standaloneAt(tlsPort), { ...tls, ...account });
      queues = new Map(cases.map(([when, changes]) => [when, beginToOpen(settings(changes))]));
    });
    afterAll(async () => {
      for (const { queue } of queues.values()) await queue.close();
    });

    it.each(cases)('when %s', async (when, changes, message) => {
      const { queue, errors } = await queues.get(when)!.opening;
      if ('tls' in changes) expect(errors.at(-1)?.message).toMatch(message);
      await expect(queue.count([shard])).rejects.toThrow(message);
    });
  });

  it('names the permission that is missing', async () => {
    const settings = settingsFor(standaloneAt(server.port), { ...account, keyPrefix: 'other' });
    const { queue } = await openQueue(settings);
    await expect(queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }])).rejects.toThrow(/NOPERM|No permissions/);
  });
});
