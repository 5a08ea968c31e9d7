import { describe, expect, it } from 'vitest';
import { silentTelemetry, type LogFields } from '../../ports/telemetry.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { Complaints, Outage } from './outage.ts';
import { QueueHealth } from '../queue/queue-health.ts';

describe('an outage', () => {
  it('begins with the first failure and ends with the first answer after calm', () => {
    const clock = new VirtualClock();
    const outage = new Outage(clock);
    expect(outage.answered()).toBeUndefined();
    expect(outage.failed()).toBe(true);
    clock.freeze(2_000);
    expect(outage.failed()).toBe(false);
    clock.freeze(2_999);
    expect(outage.answered()).toBeUndefined();
    clock.freeze(1);
    expect(outage.answered()).toBe(2_000);
    expect(outage.answered()).toBeUndefined();
    expect(outage.failed()).toBe(true);
  });

  it('is one, however often answers come between failures', () => {
    const clock = new VirtualClock();
    const outage = new Outage(clock);
    const begun = Array.from({ length: 100 }, () => {
      clock.freeze(250);
      const begins = outage.failed();
      clock.freeze(250);
      return [begins, outage.answered()];
    });
    expect(begun.filter(([begins, ends]) => begins === true || ends !== undefined)).toEqual([[true, undefined]]);
  });
});

it('a complaint is news once per outage, whatever others come between', () => {
  const clock = new VirtualClock();
  const complaints = new Complaints(clock);
  const said = Array.from({ length: 40 }, () => {
    clock.freeze(100);
    return ['refused', 'closed'].filter((sentence) => complaints.isNews(sentence));
  });
  expect(said.flat()).toEqual(['refused', 'closed']);
  clock.freeze(3_000);
  expect(complaints.isNews('refused')).toBe(true);
});

it('the queue is away once and answers again once, and every failure is counted', () => {
  const clock = new VirtualClock();
  const lines: [string, LogFields | undefined][] = [];
  const counted: string[] = [];
  const health = new QueueHealth({
    clock,
    telemetry: {
      ...silentTelemetry,
      log: (_level, message, fields) => lines.push([message, fields]),
      queueFailed: (operation) => counted.push(operation),
    },
  });
  health.answered();
  for (const operation of ['claim', 'write', 'claim']) {
    health.failed(operation, new Error('gone'));
    clock.freeze(500);
    health.answered();
  }
  clock.freeze(5_000);
  health.answered();
  health.answered();
  expect(counted).toEqual(['claim', 'write', 'claim']);
  expect(lines).toEqual([
    ['queue away', { operation: 'claim', error: 'Error: gone' }],
    ['queue answers again', { outageMillis: 1_000 }],
  ]);
});
