import { expect, it } from 'vitest';
import { callRow, checkpointOf, stepRow } from './fixtures/executions.ts';
import type { Checkpoint } from '../../src/ports/store.ts';
import { checkpointStatement, checkpointValues } from '../../src/store/postgres/queries/checkpoint.ts';

function statementOf(...checkpoints: readonly Checkpoint[]): ReturnType<typeof checkpointStatement> {
  return checkpointStatement(checkpoints.map((checkpoint) => checkpointValues(checkpoint)));
}

const plain = checkpointOf(1, 'c', 1, { steps: [stepRow(1)] });
const failed: Checkpoint = { ...plain, summary: { ...plain.summary, reason: 'status_5xx', failedNodeId: 'a' } };
const waiting: Checkpoint = { ...plain, summary: { ...plain.summary, callbackKeys: ['k1'] } };
const large = checkpointOf(1, 'c', 1, {
  steps: [stepRow(1, { output: { response: { status: 200, headers: {}, body: 'x'.repeat(5_000) } } })],
});

it('sends no columns that are null in the whole batch', () => {
  expect([statementOf().name, statementOf(plain).name]).toEqual(['checkpoint-lean', 'checkpoint-lean']);
});

it.each([
  ['a failure', failed],
  ['a wait for a callback', waiting],
  ['a large output', large],
  ['a call of its own', checkpointOf(1, 'c', 1, { calls: [callRow(1)] })],
])('sends all columns with %s anywhere in the batch', (_what, checkpoint) => {
  expect([statementOf(checkpoint).name, statementOf(plain, checkpoint).name]).toEqual(['checkpoint', 'checkpoint']);
});

it.each([plain, failed, large])('has a value for each parameter', (checkpoint) => {
  const { text, values } = statementOf(checkpoint);
  const highest = Math.max(...Array.from(text.matchAll(/\$(\d+)/g), ([, number]) => Number(number)));
  expect(values).toHaveLength(highest);
});
