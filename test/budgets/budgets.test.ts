import { expect, it } from 'vitest';
import { overrun, type Budget } from './budgets.ts';

const budget: Budget = {
  does: 'allocates',
  unit: 'bytes of heap',
  limit: 60_000,
  slack: 0.1,
  because: 'garbage costs CPU',
};

it('accepts a figure within the slack of its budget', () => {
  expect(overrun(60_000, budget)).toBeUndefined();
  expect(overrun(65_999, budget)).toBeUndefined();
});

it('says by how much a figure exceeds its budget, and why there is one', () => {
  const sentence =
    'A chain allocates 71,234.5 bytes of heap. The budget is 60,000 and 10 %, because garbage costs CPU.';
  expect(overrun(71_234.5, budget)).toBe(sentence);
});
