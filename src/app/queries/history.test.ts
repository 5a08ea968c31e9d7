import { expect, it } from 'vitest';
import type { StepRow } from '../../core/history.ts';
import type { Json } from '../../core/value/json.ts';
import { listSteps } from './history.ts';
import type { AppContext } from '../context.ts';

const row = (ord: number): StepRow =>
  ({
    ord,
    index: ord,
    nodeId: 'n',
    phase: 'UP',
    visit: 1,
    round: 1,
    attempt: 1,
    outcome: 'succeeded',
    startedAt: 0,
    attemptAt: 0,
    at: 0,
    output: { response: { body: { text: 'x'.repeat(100) } } },
  }) as unknown as StepRow;

it.each([10, 100, 1000])('masks each of %d rows once, and what it holds once more', async (count) => {
  let masked = 0;
  const app = {
    maxHistoryBody: 1000,
    masker: {
      json(value: Json) {
        masked++;
        return value;
      },
    },
    store: {
      getProgress: () => Promise.resolve(undefined),
      listSteps: () => Promise.resolve({ items: Array.from({ length: count }, (_, i) => row(i)) }),
    },
  } as unknown as AppContext;
  const answer = await listSteps(app, 'e', { page: { limit: count, order: 'asc' } });
  expect(answer.ok && answer.value.items.map(({ id }) => id)).toEqual(
    Array.from({ length: count }, (_, i) => `e:${String(i)}`),
  );
  expect(masked).toBe(2 * count);
});
