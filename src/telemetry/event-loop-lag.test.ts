import { setTimeout as pause } from 'node:timers/promises';
import { Gauge, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { EventLoopLag } from './event-loop-lag.ts';

async function readings(registry: Registry): Promise<Readonly<Record<string, number>>> {
  const text = await registry.metrics();
  return Object.fromEntries(
    [...text.matchAll(/^nodejs_eventloop_lag_(\w+)_seconds (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]),
  );
}

it('tells how late timers fired since it was read before, and nothing of its own interval', async () => {
  const registry = new Registry();
  const late: number[] = [];
  new EventLoopLag((millis) => late.push(millis)).replaceIn(registry, Gauge);
  expect(await readings(registry)).toEqual({ min: 0, max: 0, mean: 0, stddev: 0, p50: 0, p90: 0, p99: 0 });

  const until = performance.now() + 1_000;
  while (performance.now() < until);
  await pause(300);
  const blocked = await readings(registry);
  expect(Math.max(...late)).toBeGreaterThan(500);
  // The timer was due in the first quarter of the blocked second.
  expect(blocked['max']).toBeGreaterThan(0.5);
  expect(blocked['p99']).toBeGreaterThan(0.5);
  expect(blocked['min']).toBeLessThan(blocked['max']!);

  await pause(1_200);
  const calm = await readings(registry);
  expect(calm['mean']).toBeGreaterThan(0);
  expect(calm['mean']).toBeLessThan(blocked['max']!);
});
