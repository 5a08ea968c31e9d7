import { expect, it } from 'vitest';
import { corruptedText } from './end-text.ts';

const end = 'could not be completed and must be settled by hand or retried.';
const failed = (count: number): { nodeId: string; visit: number }[] =>
  Array.from({ length: count }, (_, i) => ({ nodeId: `n${String(i)}`, visit: 1 }));

it.each([
  ['one', { troubles: 1, failedCompensations: failed(1) }, `The compensation of "n0" ${end}`],
  [
    'a later visit',
    { troubles: 1, failedCompensations: [{ nodeId: 'a b', visit: 3 }] },
    `The compensation of "a b" (visit 3) ${end}`,
  ],
  ['two', { troubles: 2, failedCompensations: failed(2) }, `The compensations of "n0" and "n1" ${end}`],
  [
    'more than are named',
    { troubles: 9, failedCompensations: failed(2) },
    `The compensations of "n0", "n1" and 7 more ${end}`,
  ],
  ['only others than were named', { troubles: 2 }, `2 compensations ${end}`],
])('a CORRUPTED execution names %s', (_what, state, text) => {
  expect(corruptedText(state, { status: 'SUCCEEDED' })).toBe(text);
});

it('a CORRUPTED execution says what it was to end as, and where it failed', () => {
  const verdict = { status: 'FAILED', nodeId: 'ship', description: 'The downstream answered 422.' } as const;
  expect(corruptedText({ troubles: 1, failedCompensations: failed(1) }, verdict)).toBe(
    `The compensation of "n0" ${end} The execution was to end as FAILED at "ship": The downstream answered 422.`,
  );
});
