import { beforeAll, expect, it } from 'vitest';
import { embeddedBudgets, overrun } from './budgets.ts';
import { measureEmbedded, type EmbeddedFigure, type Measurement } from './measure.ts';

let measured: Measurement<EmbeddedFigure>;

beforeAll(async () => {
  measured = await measureEmbedded();
});

it.each(Object.keys(embeddedBudgets) as EmbeddedFigure[])(
  'a chain on the embedded store keeps its budget of %s',
  (figure) => {
    expect(measured.figures[figure]).toBeGreaterThan(0);
    expect(overrun(measured.figures[figure], embeddedBudgets[figure])).toBeUndefined();
  },
);
