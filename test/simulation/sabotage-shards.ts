/**
 * Servers of a cluster's queue that break one rule of the protocol each, to show that the simulator's rules bite. They stand
 * between the wires and the real server. Each is made anew for a run.
 */
import type { Held, Member, Shard, ShardQueue } from '../../src/ports/shard-queue.ts';

type Wrap = (server: ShardQueue) => ShardQueue;

/** The server with some operations replaced. */
export function withServerOperations(server: ShardQueue, operations: Partial<ShardQueue>): ShardQueue {
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
    withServerOperations(server, {
      renew: (shard, process, held, leaseMillis) => server.renew(shard, process, held, leaseMillis, 0),
    });
}

/** What was handed back for anybody is gone. */
export function withoutReleases(): Wrap {
  return (server) =>
    withServerOperations(server, {
      finish: (shard, endings) =>
        server.finish(
          shard,
          endings.map((ending) => (ending.next === 'back' || ending.next === 0 ? { ...ending, next: 'gone' } : ending)),
        ),
    });
}

/** No bell rings. */
export function withoutBells(): Wrap {
  return (server) => withServerOperations(server, { ring: () => Promise.resolve() });
}

/** No member is told that the members have changed. */
export function withoutMemberBells(): Wrap {
  return (server) =>
    withServerOperations(server, {
      ring: async (member, ring) => {
        if (ring.members !== true) await server.ring(member, ring);
      },
    });
}

/** Shards of every number share their keys. */
export function withoutCountInKey(): Wrap {
  const any = ({ index }: Shard): Shard => ({ count: 1, index });
  return (server) =>
    withServerOperations(server, {
      claim: (shard, request) => server.claim(any(shard), request),
      claimEach: (shard, ids, request) => server.claimEach(any(shard), ids, request),
      enqueue: (shard, items) => server.enqueue(any(shard), items),
      finish: (shard, endings) => server.finish(any(shard), endings),
      renew: (shard, process, held, leaseMillis, below) => server.renew(any(shard), process, held, leaseMillis, below),
      restore: (shard, items, restMillis) => server.restore(any(shard), items, restMillis),
      restoreHeld: (shard, items, leaseMillis) => server.restoreHeld(any(shard), items, leaseMillis),
      mark: (shard, run, restMillis) => server.mark(any(shard), run, restMillis),
      drop: (shard) => server.drop(any(shard)),
      count: (shards) => server.count(shards.map(any)),
    });
}

/** Whatever shard is asked bears the mark that is asked for. */
export function withoutMarks(): Wrap {
  return (server) =>
    withServerOperations(server, {
      claim: async (shard, request) => {
        await server.mark(shard, request.incarnation);
        return server.claim(shard, request);
      },
      claimEach: async (shard, ids, request) => {
        await server.mark(shard, request.incarnation);
        return server.claimEach(shard, ids, request);
      },
    });
}

/** The end of a claim ends any claim of the id, also a later one of another process. */
export function withoutTokensAtEnd(): Wrap {
  const holders = new Map<string, string>();
  const note = ({ id, token }: Held): unknown => holders.set(id, token);
  return (server) =>
    withServerOperations(server, {
      claim: async (shard, request) => {
        const reply = await server.claim(shard, request);
        if (reply.kind === 'claimed') reply.claimed.forEach(note);
        return reply;
      },
      claimEach: async (shard, ids, request) => {
        const reply = await server.claimEach(shard, ids, request);
        const { process, firstNumber } = request;
        for (const [i, id] of ids.entries()) {
          if (reply[i] === true) note({ id, token: `${process}${String(firstNumber + i)}` });
        }
        return reply;
      },
      renew: async (shard, process, held, leaseMillis, below) => {
        const renewal = await server.renew(shard, process, held, leaseMillis, below);
        const gone = new Set(renewal.lost.map(({ token }) => token));
        held.filter(({ token }) => !gone.has(token)).forEach(note);
        return renewal;
      },
      finish: (shard, endings) =>
        server.finish(
          shard,
          endings.map((ending) => ({ ...ending, token: holders.get(ending.id) ?? ending.token })),
        ),
    });
}

/** That an id in flight became due is forgotten when its claim ends. */
export function withoutAgain(): Wrap {
  const marked = new Set<string>();
  const eraser = { process: 'absent/0/', firstNumber: 0 };
  return (server) =>
    withServerOperations(server, {
      enqueue: async (shard, items) => {
        const inFlight = await server.enqueue(shard, items);
        for (const { id } of inFlight) marked.add(id);
        return inFlight;
      },
      finish: async (shard, endings) => {
        const incarnation = server.incarnationOf(shard) ?? '';
        const requests = [server.finish(shard, endings)];
        for (const { id, next } of endings) {
          // Ready by its mark: taken out, and ended once more as it would have been.
          if (!marked.delete(id)) continue;
          void server.claimEach(shard, [id], { ...eraser, leaseMillis: 1_000, incarnation });
          requests.push(server.finish(shard, [{ id, token: `${eraser.process}0`, next }]));
        }
        await Promise.all(requests);
        return 0;
      },
    });
}

/** Who returns after absence is not told so; the others hear of it as ever. */
export function withoutReturns(): Wrap {
  return (server) => {
    let isKnown = false;
    return withServerOperations(server, {
      heartbeat: async (info, ttlMillis) => {
        const answer = await server.heartbeat(info, ttlMillis);
        if (!answer.joined || !isKnown) {
          isKnown = true;
          return answer;
        }
        for (const { id } of answer.members) void server.ring(id, { delayMillis: 0, members: true });
        return { ...answer, joined: false };
      },
    });
  };
}

/** What may be running somewhere is ready at once after a loss. */
export function withoutRest(): Wrap {
  return (server) =>
    withServerOperations(server, {
      mark: (shard, run) => server.mark(shard, run),
      restore: (shard, items) => server.restore(shard, items),
    });
}

/** Members seem to have been heard of just now, so that no member looks when the oldest heartbeat ends. */
export function withoutExpiryLook(): Wrap {
  return (server) => {
    let own = '';
    return withServerOperations(server, {
      open: (member, listener) => {
        own = member;
        return server.open(member, listener);
      },
      heartbeat: async (info, ttlMillis, store) => {
        const { members, ...rest } = await server.heartbeat(info, ttlMillis, store);
        const { podId } = JSON.parse(info) as { podId: string };
        // The former process of this place would seem to live on, and to be a rival.
        const mask = ({ id, info: text }: Member): string =>
          id === own ? text : text.replace(podId, `former ${podId}`);
        return { ...rest, members: members.map((one) => ({ ...one, ageMillis: 0, info: mask(one) })) };
      },
    });
  };
}
