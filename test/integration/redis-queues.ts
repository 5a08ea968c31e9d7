/** What the tests of the queue on Redis share: settings for test servers, and a bench for the contract suite. */
import { setTimeout as pause } from 'node:timers/promises';
import { RedisShardQueue, type RedisObserver } from '../../src/queue/redis/redis-shard-queue.ts';
import type { RedisSettings } from '../../src/queue/redis/settings.ts';
import type { ShardBench } from '../contract/shard-queue/bench.ts';

/** Where a test's servers are. */
export type Servers = RedisSettings['servers'];

/** One server on the loopback interface. */
export function standaloneAt(port: number): Servers {
  return { topology: 'standalone', address: { host: '127.0.0.1', port }, database: 0 };
}

/** Settings with names that no other test uses. */
let prefixes = 0;
export function settingsFor(servers: Servers, changes: Partial<RedisSettings> = {}): RedisSettings {
  prefixes++;
  const keyPrefix = `test-${String(prefixes)}`;
  return { servers, commandTimeoutMillis: 2000, keyPrefix, membershipKey: `${keyPrefix}:pods`, ...changes };
}

/** An observer that keeps what it is told. */
export function recordingObserver(): RedisObserver & { readonly errors: Error[]; readonly policies: unknown[] } {
  const errors: Error[] = [];
  const policies: unknown[] = [];
  return {
    errors,
    policies,
    failed: (error) => errors.push(error),
    policy: (policy) => policies.push(policy),
  };
}

/** A bench whose processes share one prefix. */
export function benchOn(servers: Servers): ShardBench {
  const settings = settingsFor(servers);
  return {
    connect: () => new RedisShardQueue(settings, recordingObserver()),
    pass: (millis) => pause(millis),
    close: () => Promise.resolve(),
  };
}
