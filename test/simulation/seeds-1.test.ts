import { describe } from 'vitest';
import { seedsHold } from './seed-range.ts';

describe('simulated processes under faults', () => {
  seedsHold(1, 1_500);
});
