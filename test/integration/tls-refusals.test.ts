/**
 * Handshakes of TLS that fail in every way, one right after the other and many at once: authorities that are not trusted, client
 * certificates that are refused (which TLS 1.3 says only after the handshake), and connections that are cut, or answered with an
 * alert or noise, after any number of bytes in either direction. What fails reaches its caller, and no error escapes: that would end the
 * process.
 */
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import { connect as connectTcp, createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, TLSSocket, createSecureContext, type TlsOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createOfflineServer } from '../../src/compose/offline-server.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { GrpcSender } from '../../src/telemetry/tracing/grpc-sender.ts';
import { TestAuthority } from '../certificate-maker.ts';
import { call, callerWith, requestTo } from '../local-servers.ts';
import { gatherUncaught } from '../uncaught.ts';
import { beginToOpen, settingsFor, standaloneAt } from './redis-queues.ts';

const authority = new TestAuthority();
const stranger = new TestAuthority('Stranger');
const server = authority.issue({ commonName: 'server', names: ['127.0.0.1'] });
const foreign = stranger.issue({ commonName: 'client' });

/** So many at once. */
const callers = 8;

/** In the place of the next bytes. */
const endings: Readonly<Record<string, (socket: Socket) => unknown>> = {
  end: (socket) => socket.end(),
  reset: (socket) => socket.resetAndDestroy(),
  // Alerts: decode error, unknown authority; the latter at once followed by a reset.
  'a decode error': (socket) => socket.end(Buffer.from('15030300020232', 'hex')),
  'a refusal': (socket) => socket.write(Buffer.from('15030300020230', 'hex'), () => socket.resetAndDestroy()),
  noise: (socket) => socket.end(Buffer.alloc(300, 0xa7)),
};

/** After so many bytes: within each message of a handshake, at its end, and in the middle of a record's header. */
const cuts: readonly number[] = [0, 1, 3, 5, 6, 60, 200, 300, 517, 700, 1000, 1300, 1600, 2000, 2500, 3000];

/** Passes connections on to a port, and ends each after some bytes; where and how is the next of all combinations. */
async function cuttingProxy(target: number): Promise<{ readonly port: number; readonly rounds: number }> {
  const ways = Object.values(endings).flatMap((end) =>
    cuts.flatMap((after) => (['up', 'down'] as const).map((direction) => ({ end, after, direction }))),
  );
  let turn = 0;
  const { port } = await listen(
    createTcp((client) => {
      const { end, after, direction } = ways[turn++ % ways.length]!;
      const upstream = connectTcp(target, '127.0.0.1');
      let left = after;
      const pass = (from: Socket, to: Socket, isCut: boolean): void => {
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.on('data', (chunk: Buffer) => {
          if (!isCut || chunk.length < left) {
            left -= isCut ? chunk.length : 0;
            to.write(chunk);
            return;
          }
          if (left > 0) to.write(chunk.subarray(0, left));
          left = 0;
          // To both, and each of them in the middle of something.
          end(to);
          end(from);
        });
      };
      pass(client, upstream, direction === 'up');
      pass(upstream, client, direction === 'down');
      if (after === 0) end(direction === 'up' ? client : upstream);
    }),
  );
  return { port, rounds: ways.length };
}

async function listen(listener: Server): Promise<AddressInfo> {
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void listener.close());
  return listener.address() as AddressInfo;
}

/** Makes as many attempts as said, some at once, each following the one before without a pause. */
async function hammer(attempts: number, attempt: () => Promise<unknown>): Promise<void> {
  let left = attempts;
  const one = async (): Promise<void> => {
    while (left-- > 0) await attempt();
  };
  await Promise.all(Array.from({ length: callers }, one));
  // What comes late comes within a turn or two of the event loop, after the last connection is gone.
  await pause(100);
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
/** A server that refuses most. */
const refusing = (maxVersion: (typeof versions)[number]): TlsOptions => ({
  ...server,
  ca: authority.cert,
  requestCert: true,
  rejectUnauthorized: true,
  maxVersion,
});
/** Attempts of each kind. */
const refused = 80;

/** Trust and certificate of a client, by why the handshake fails. */
const clients = {
  'trusts another authority': { ca: stranger.cert },
  'shows no certificate': { ca: authority.cert },
  'shows a certificate of another authority': { ca: authority.cert, ...foreign },
};
const cases = versions.flatMap((version) => Object.keys(clients).map((who) => [version, who] as const));
const tlsOf = (who: string) => clients[who as keyof typeof clients];

describe('outbound calls', () => {
  const downstream = async (options: TlsOptions): Promise<number> => {
    const listener = createHttps(options, (_request, response) => response.end('{}'));
    return (await listen(listener.on('tlsClientError', () => undefined))).port;
  };

  it.each(cases)('by %s, when the client %s', async (version, who) => {
    const uncaught = gatherUncaught();
    const url = `https://127.0.0.1:${String(await downstream(refusing(version)))}`;
    const caller = callerWith({ tls: tlsOf(who) });
    const answers = new Set<string>();
    await hammer(refused, async () => {
      // One is given up in the handshake.
      caller.start(requestTo(url), () => undefined).abort();
      answers.add((await call(caller, requestTo(url))).kind);
    });
    expect([[...answers], uncaught]).toEqual([['failed'], []]);
  });

  it('that are cut in the handshake', async () => {
    const uncaught = gatherUncaught();
    const { port, rounds } = await cuttingProxy(await downstream(server));
    const caller = callerWith({ tls: { ca: authority.cert } });
    await hammer(rounds, () => call(caller, requestTo(`https://127.0.0.1:${String(port)}`, { timeoutMillis: 1000 })));
    expect(uncaught).toEqual([]);
  });
});

/** What speaks TLS once it was asked for by the first message, as Postgres does. */
async function startTls(options: TlsOptions, rejects: boolean): Promise<number> {
  const context = createSecureContext(options);
  const listener = createTcp((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, {
        isServer: true,
        secureContext: context,
        requestCert: rejects,
        rejectUnauthorized: rejects,
      });
      secure.on('error', () => undefined).resume();
      secure.on('secure', () => {
        if (rejects && !secure.authorized) secure.destroy();
      });
    });
  });
  return (await listen(listener)).port;
}

describe('connections to Postgres', () => {
  const storeAt = (port: number, ssl: object): PostgresStore => {
    const store = new PostgresStore({ host: '127.0.0.1', port, ssl });
    onTestFinished(() => store.close());
    return store;
  };

  it.each(cases)('by %s, when the client %s', async (version, who) => {
    const uncaught = gatherUncaught();
    const port = await startTls(refusing(version), true);
    // Each store pauses after a failure, so that it takes several of them to ask without one.
    const failures: unknown[] = [];
    await hammer(refused / 2, async () => {
      const store = storeAt(port, tlsOf(who));
      await Promise.all([store.ping(), store.ping()]).catch((error: unknown) => failures.push(error));
      await store.close();
    });
    expect([failures.length, uncaught]).toEqual([refused / 2, []]);
  });

  it('that are cut in the handshake', async () => {
    const uncaught = gatherUncaught();
    const { port, rounds } = await cuttingProxy(await startTls(server, false));
    await hammer(rounds, async () => {
      const store = storeAt(port, { ca: authority.cert });
      await store.ping().catch(() => undefined);
      await store.close();
    });
    expect(uncaught).toEqual([]);
  });
});

describe('connections to Redis, and of the exporter of spans', () => {
  const refuse = async (version: (typeof versions)[number]): Promise<number> => {
    const listener = createHttps({ ...refusing(version), ALPNProtocols: ['h2'] });
    return (await listen(listener.on('tlsClientError', () => undefined))).port;
  };
  /** Opens a queue and leaves it at some moment of its attempts, which follow each other by themselves. */
  const leave = async (port: number, tls: object): Promise<void> => {
    const { queue } = beginToOpen(settingsFor(standaloneAt(port), { tls }));
    await pause(Math.random() * 150);
    await queue.close();
  };

  it.each(cases)('by %s, when the client %s', async (version, who) => {
    const uncaught = gatherUncaught();
    const port = await refuse(version);
    await hammer(refused, () => leave(port, tlsOf(who)));
    await hammer(refused, async () => {
      const sender = new GrpcSender(`https://127.0.0.1:${String(port)}`, 1000);
      await sender.send(Buffer.alloc(0)).catch(() => undefined);
      sender.close();
    });
    expect(uncaught).toEqual([]);
  });

  it('that are cut in the handshake', async () => {
    const uncaught = gatherUncaught();
    const { port, rounds } = await cuttingProxy(await refuse('TLSv1.3'));
    await hammer(rounds, () => leave(port, { ca: authority.cert }));
    expect(uncaught).toEqual([]);
  });
});

describe('the listener of the API', () => {
  const serve = async (): Promise<number> => {
    const api = createOfflineServer('1', { ...server, ca: authority.cert });
    onTestFinished(() => api.close());
    await api.listen({ host: '127.0.0.1', port: 0 });
    return (api.server.address() as AddressInfo).port;
  };
  /** A caller that does what callers do, until its connection is over. */
  const ask = async (port: number, tls: object): Promise<void> => {
    const socket = connectTls({ host: '127.0.0.1', port, ...tls });
    socket.on('error', () => undefined).resume();
    socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
    await Promise.race([new Promise((resolve) => socket.on('close', resolve)), pause(1000)]);
    socket.destroy();
  };

  it.each(cases)('by %s, when the client %s', async (version, who) => {
    const uncaught = gatherUncaught();
    const port = await serve();
    await hammer(refused, () => ask(port, { ...tlsOf(who), maxVersion: version }));
    expect(uncaught).toEqual([]);
  });

  it('when connections are cut in the handshake', async () => {
    const uncaught = gatherUncaught();
    const { port, rounds } = await cuttingProxy(await serve());
    const own = authority.issue({ commonName: 'caller' });
    await hammer(rounds, () => ask(port, { ca: authority.cert, ...own }));
    expect(uncaught).toEqual([]);
  });
});
