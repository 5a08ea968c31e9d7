import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerWatch, type WatchedServer } from './server-watch.ts';

/** What a server says of itself; `takesMillis` is how long its answer is under way. */
interface Says {
  version: string;
  runId: string;
  role: string;
  policy: string | undefined;
  now: number;
  takesMillis: number;
}

class FakeServer {
  readonly status = 'ready' as WatchedServer['status'];
  readonly says: Says = { version: '7.0.15', runId: 'r', role: 'master', policy: 'noeviction', now: 0, takesMillis: 0 };

  constructor(says: Partial<Says>) {
    Object.assign(this.says, says);
  }

  readonly info = ((...sections: string[]) => {
    const { version, runId, role, policy, now, takesMillis } = this.says;
    if (sections.includes('memory')) {
      return Promise.resolve(policy === undefined ? '' : `# Memory\r\nmaxmemory_policy:${policy}\r\n`);
    }
    monotonic += takesMillis;
    const lines = [`redis_version:${version}`, `run_id:${runId}`, `server_time_usec:${String(now * 1000)}`];
    return Promise.resolve([...lines, `role:${role}`, 'master_replid:x', ''].join('\r\n'));
  }) as WatchedServer['info'];
}

let monotonic = 1000;
let told: string[];

beforeEach(() => {
  monotonic = 1000;
  told = [];
  vi.spyOn(performance, 'now').mockImplementation(() => monotonic);
});

function watch(servers: readonly FakeServer[]): ServerWatch {
  return new ServerWatch(
    { primaries: () => servers },
    {
      changed: () => told.push('changed'),
      failed: (error) => told.push(error.message),
      demoted: () => told.push('demoted'),
      policy: (policy) => told.push(`policy ${String(policy)}`),
    },
  );
}

describe('the watch over servers', () => {
  it('knows each server by its run, its clock and the worst policy', async () => {
    const ahead = new FakeServer({ runId: 'a', now: 61_000, policy: undefined });
    const behind = new FakeServer({ runId: 'b', now: 500, policy: 'allkeys-lru' });
    const subject = watch([ahead, behind]);
    expect(subject.isComplete).toBe(false);
    expect(subject.runOf(ahead)).toBeUndefined();
    subject.look();
    await turn();
    expect(subject.isComplete).toBe(true);
    expect([subject.runOf(ahead), subject.runOf(behind)]).toEqual(['a:x', 'b:x']);
    expect([subject.now(ahead), subject.now(behind)]).toEqual([61_000, 500]);
    monotonic += 250;
    expect([subject.now(ahead), subject.now(behind)]).toEqual([61_250, 750]);
    expect(subject.policy).toBe('allkeys-lru');
    expect(told).toEqual(['changed', 'policy allkeys-lru', 'changed']);
  });

  it('takes the process for the clock before any answer', () => {
    const subject = watch([]);
    expect(Math.abs(subject.now() - Date.now())).toBeLessThan(60_000);
    expect(subject.isComplete).toBe(false);
  });

  it('asks again only what it has forgotten, and says so then', async () => {
    const server = new FakeServer({});
    const subject = watch([server]);
    subject.look();
    await turn();
    subject.look();
    await turn();
    expect(told).toEqual(['policy noeviction', 'changed']);
    subject.forget(server);
    expect(subject.runOf(server)).toBeUndefined();
    subject.look();
    await turn();
    expect(told).toEqual(['policy noeviction', 'changed', 'changed']);
  });

  it('keeps an estimate of the clock that is better than a slow answer, for a while', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const server = new FakeServer({ now: 5000 });
    const subject = watch([server]);
    subject.start();
    const ask = async () => {
      vi.advanceTimersByTime(2000);
      await turn();
    };
    await ask();
    expect(subject.now()).toBe(5000);
    Object.assign(server.says, { takesMillis: 3000, now: 5000 });
    await ask();
    expect(subject.now()).toBe(8000);
    monotonic += 10_000;
    Object.assign(server.says, { now: 100_000 });
    await ask();
    expect(subject.now()).toBe(101_500);
    subject.stop();
    vi.useRealTimers();
  });

  it('uses no server that is a replica or too old', async () => {
    const replica = new FakeServer({ role: 'slave' });
    const old = new FakeServer({ version: '6.2.14' });
    const subject = watch([replica, old]);
    subject.look();
    await turn();
    expect(told).toEqual(['demoted', 'Redis 7.0 or newer is needed, and a server says that it is 6.2.14.']);
    expect([subject.runOf(replica), subject.runOf(old), subject.isComplete]).toEqual([undefined, undefined, false]);
  });
});
