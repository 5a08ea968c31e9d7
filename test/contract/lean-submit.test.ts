import { expect, it } from 'vitest';
import { endState, newExecution, stepRow, summaryOf } from './fixtures/executions.ts';
import type { NewExecution } from '../../src/ports/store.ts';
import { submitStatement, submitValues } from '../../src/store/postgres/queries/submit.ts';

function statementOf(...executions: readonly NewExecution[]): ReturnType<typeof submitStatement> {
  return submitStatement(
    executions.map((execution) => submitValues(execution)),
    executions.map(() => 1),
  );
}

const plain = newExecution(1, { claim: 'c' });

it('sends no columns that nearly no new run has', () => {
  const later = newExecution(2, { summary: summaryOf('SLEEPING'), mustBeStored: true });
  expect([statementOf().name, statementOf(plain, later).name]).toEqual(['submit-lean', 'submit-lean']);
});

it.each<[string, Partial<NewExecution>]>([
  ['a start key', { startKey: { caller: 'me', key: 'k', fingerprint: 'f' } }],
  ['labels', { labels: { k: 'v' } }],
  ['a trace', { traceparent: 'trace' }],
  ['a row', { steps: [stepRow(1)] }],
  ['an end', { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') }],
  ['a reason', { summary: summaryOf('IN_PROGRESS', { reason: 'timeout' }) }],
  ['a wait for a callback', { summary: summaryOf('WAITING_CALLBACK', { callbackKeys: ['k1'] }) }],
  ['a later round', { summary: summaryOf('IN_PROGRESS', { round: 2 }) }],
])('sends all columns with %s anywhere in the batch', (_what, overrides) => {
  expect(statementOf(plain, newExecution(2, overrides)).name).toBe('submit');
});

it.each([plain, newExecution(2, { labels: { k: 'v' } })])('has a value for each parameter', (execution) => {
  const { text, values } = statementOf(execution);
  const highest = Math.max(...Array.from(text.matchAll(/\$(\d+)/g), ([, number]) => Number(number)));
  expect(values).toHaveLength(highest);
});
