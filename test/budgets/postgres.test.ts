import { beforeAll, expect, it } from 'vitest';
import { overrun, postgresBudgets } from './budgets.ts';
import { measurePostgres, type Measurement, type PostgresFigure } from './measure.ts';

let measured: Measurement<PostgresFigure>;

beforeAll(async () => {
  measured = await measurePostgres();
});

it.each(Object.keys(postgresBudgets) as PostgresFigure[])(
  'a chain on Postgres and Redis keeps its budget of %s',
  (figure) => {
    expect(measured.figures[figure]).toBeGreaterThan(0);
    expect(overrun(measured.figures[figure], postgresBudgets[figure])).toBeUndefined();
  },
);
