import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../core/value/json.ts';
import type { PagingClient } from '../api-client.ts';
import { LiveTimeline } from './live-timeline.ts';

const at = (millis: number): string => new Date(1_000_000 + millis).toISOString();

function row(stepName: string, phase: string, millis: number, more: JsonObject = {}): JsonObject {
  const times = { startedAt: at(millis), createdAt: at(millis) };
  return { stepName, phase, visit: 1, round: 1, attempt: 1, outcome: 'succeeded', ...times, ...more };
}

/** A server whose lists grow, and whose pages are short. */
class Histories implements PagingClient {
  readonly steps: JsonObject[] = [];
  readonly calls: JsonObject[] = [];
  pages = 0;

  ask(): Promise<never> {
    return Promise.reject(new Error('Nothing else is asked.'));
  }

  page(path: string): ReturnType<PagingClient['page']> {
    this.pages++;
    const [list = '', query] = path.split('?');
    const rows = list.endsWith('/calls') ? this.calls : this.steps;
    const start = Number(new URLSearchParams(query).get('cursor') ?? 0);
    const end = start + 3;
    const answer = rows.slice(start, end);
    return Promise.resolve(rows.length > end ? { answer, cursor: String(end) } : { answer });
  }
}

describe('a timeline that grows', () => {
  it('has every call and every other step once, in as many pages as there are', async () => {
    const server = new Histories();
    const live = new LiveTimeline(server, 'id');
    expect(await live.next()).toEqual([]);
    const seen: string[] = [];
    for (let n = 0; n < 10; n++) {
      const name = `n${String(n)}`;
      server.calls.push(row(name, 'UP', n * 10, { statusCode: 200 }));
      server.steps.push(row(name, 'UP', n * 10, { statusCode: 200 }), row(`s${String(n)}`, 'SWITCH', n * 10 + 5));
      const lines = await live.next();
      seen.push(...lines.map((line) => line.trim().split(/ {2,}/)[2] ?? ''));
      expect(await live.next()).toEqual([]);
    }
    expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => [`n${String(n)}`, `s${String(n)}`]).flat());
    // What was read to its end is not read again.
    const before = server.pages;
    await live.next();
    expect(server.pages - before).toBe(2);
  });

  it('tells of no step whose call came before it', async () => {
    const server = new Histories();
    const live = new LiveTimeline(server, 'id');
    server.calls.push(row('a', 'UP', 0, { statusCode: 503, outcome: 'rejected' }));
    expect(await live.next()).toEqual(['      0 ms  UP        a             rejected (503)']);
    server.calls.push(row('a', 'UP', 20, { statusCode: 200, attempt: 2 }));
    server.steps.push(row('a', 'UP', 20, { statusCode: 200, attempt: 2 }));
    expect(await live.next()).toEqual(['     20 ms  UP        a attempt 2   succeeded (200)']);
    expect(await live.next()).toEqual([]);
  });
});
