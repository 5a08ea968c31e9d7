/**
 * Servers of a cluster's queue that break one rule of the protocol each, to show that the simulator's rules bite. They stand
 * between the wires and the real server. Each is made anew for a run.
 */
import type { ShardQueue } from '../../src/ports/shard-queue.ts';

type Wrap = (server: ShardQueue) => ShardQueue;

/** The server with some operations replaced. */
function withOperations(server: ShardQueue, operations: Partial<ShardQueue>): ShardQueue {
  return new Proxy(server, {
    get(target, name): unknown {
      const own: unknown = Reflect.get(operations, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Renewals leave alone what they do not list. */
export function withoutOrphans(): Wrap {
  return (server) =>
    withOperations(server, {
      renew: (shard, process, held, leaseMillis) => server.renew(shard, process, held, leaseMillis, 0),
    });
}

/** What was handed back for anybody is gone. */
export function withoutReleases(): Wrap {
  return (server) =>
    withOperations(server, {
      finish: (shard, endings) =>
        server.finish(
          shard,
          endings.map((ending) => (ending.next === 0 ? { ...ending, next: 'gone' } : ending)),
        ),
    });
}

/** No bell rings. */
export function withoutBells(): Wrap {
  return (server) => withOperations(server, { ring: () => Promise.resolve() });
}

/** Nobody is told that the members have changed. */
export function withoutMemberBells(): Wrap {
  return (server) =>
    withOperations(server, {
      ring: async (member, ring) => {
        if (ring.members !== true) await server.ring(member, ring);
      },
    });
}
