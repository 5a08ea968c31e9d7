/** Turns of the core: where they end, and that this does not change the outcome of an execution. */
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../scenario/scenario.ts';
import { simulate } from '../scenario/simulate.ts';
import { randomDefinition } from '../../simulator/random-definition.ts';
import { Random } from '../../simulator/random.ts';
import { apply, type CoreLimits, type Env, type Run, type Transition } from './apply.ts';
import { compileDefinition } from './definition/compile.ts';
import type { StepRow } from './history.ts';
import type { Json, JsonObject } from './value/json.ts';
import type { Plan } from './plan.ts';
import { begin } from './start.ts';

const limits: CoreLimits = {
  maxNodeVisits: 50,
  maxNodeVisitsCap: 1_000,
  hookMaxMillis: 60_000,
  hookDeliverMillis: 300_000,
  maxRetryAfterMillis: 60_000,
  maxAdvances: 100,
  maxTurnSteps: 100_000,
  maxTurnBytes: 4_194_304,
};

function planOf(definition: JsonObject): Plan {
  const compiled = compileDefinition(definition, { hash: 'hash' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function envOf(own: Partial<CoreLimits>): Env {
  return {
    now: 1_000,
    advance: true,
    random: () => 0.5,
    nonce: () => 'n',
    executionId: () => 'child',
    callbackKey: () => undefined,
    variable: () => undefined,
    limits: { ...limits, ...own },
  };
}

/** Runs an execution until it is over or waits for something; returns all transitions. */
function turnsOf(plan: Plan, payload: JsonObject, own: Partial<CoreLimits>): Transition[] {
  const header = { id: 'e', name: 'n', version: '1', payload, labels: {} };
  const turns = [begin(plan, header, envOf(own))];
  for (;;) {
    const last = turns.at(-1)!;
    const { state, outputs } = last;
    if (state.end !== undefined || !state.tokens.some(({ stage }) => stage.kind === 'ready')) return turns;
    // A copy that was stored and loaded.
    const run: Run = { plan, header, state: JSON.parse(JSON.stringify(state)) as typeof state, outputs };
    turns.push(apply(run, { type: 'continued' }, envOf(own)));
  }
}

const rowsOf = (turns: readonly Transition[]): readonly StepRow[] => turns.flatMap(({ steps }) => steps);

/** A switch whose cases each cost about `size` steps; only the case with index `holds` holds. */
function heavy(cases: number, holds: number): JsonObject {
  const when = (i: number): Json => ({
    some: [{ var: 'payload.list' }, { '==': [{ var: '' }, i === holds ? 0 : -1] }],
  });
  return {
    name: 'n',
    version: '1',
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
    compensationHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
    entrypoint: 's',
    nodes: [
      {
        kind: 'switch',
        id: 's',
        cases: Array.from({ length: cases }, (_, i) => ({
          name: `case-${String(i)}`,
          when: i % 3 === 2 && i !== holds ? { '+': ['no number'] } : when(i),
          target: 'taken',
        })),
        default: 'none',
      },
      { kind: 'fail', id: 'taken', reason: 'taken' },
      { kind: 'fail', id: 'none', reason: 'none' },
    ],
  };
}

describe('a turn', () => {
  const list = Array.from({ length: 1_000 }, (_, i) => 1_000 - 1 - i);

  it('ends between two cases of a switch once its work is done, and the next goes on there', () => {
    const plan = planOf(heavy(60, 59));
    const turns = turnsOf(plan, { list }, { maxTurnSteps: 20_000 });
    expect(turns.length).toBeGreaterThan(10);
    // One case may exceed the bound, but no second one.
    for (const { work } of turns) expect(work.steps).toBeLessThan(20_000 + 9_000);
    const [first] = turns;
    expect(first?.state.tokens[0]?.stage).toMatchObject({ kind: 'ready', choosing: { visit: 1 } });
    expect(first?.state.totalVisits).toBe(1);
    expect(first?.steps).toEqual([]);
    const last = turns.at(-1)!;
    expect(last.state.verdict).toMatchObject({ status: 'FAILED', description: 'taken' });
    expect(last.state.visits).toEqual({ s: 1, taken: 1 });
    expect(rowsOf(turns).map(({ phase, visit }) => [phase, visit])).toEqual([
      ['SWITCH', 1],
      ['FAIL', 1],
    ]);
  });

  it('that is cut anywhere gives the same rows as one that is never cut', () => {
    for (const holds of [0, 4, 19, 99]) {
      const plan = planOf(heavy(20, holds));
      const whole = turnsOf(plan, { list }, { maxTurnSteps: Infinity });
      expect(whole).toHaveLength(1);
      for (const maxTurnSteps of [0, 1, 7_000, 15_000]) {
        const cut = turnsOf(plan, { list }, { maxTurnSteps });
        expect(rowsOf(cut)).toEqual(rowsOf(whole));
        expect(cut.at(-1)?.state).toEqual(whole[0]?.state);
      }
    }
  });

  it('counts the bytes of texts, too', () => {
    const nodes = Array.from({ length: 9 }, (_, i) => ({
      kind: 'switch',
      id: `s${String(i)}`,
      cases: [{ when: { '==': [{ cat: [{ var: 'payload.text' }, 'x'] }, ''] }, target: 'end' }],
      default: i === 8 ? 'end' : `s${String(i + 1)}`,
    }));
    const definition = {
      ...heavy(1, 0),
      entrypoint: 's0',
      nodes: [...nodes, { kind: 'fail', id: 'end', reason: '{{payload.text}}' }],
    };
    const turns = turnsOf(planOf(definition), { text: 'x'.repeat(1_000) }, { maxTurnBytes: 2_000 });
    expect(turns).toHaveLength(5);
    expect(Math.max(...turns.map(({ work }) => work.bytes))).toBeLessThan(3_100);
  });

  it('keeps of conditions that fail no more sentences than fit into a state', () => {
    const definition = heavy(300, 0);
    const [choice, ...others] = definition['nodes'] as JsonObject[];
    const cases = Array.from({ length: 300 }, () => ({ when: { '+': ['no number'] }, target: 'taken' }));
    const plan = planOf({ ...definition, nodes: [{ ...choice, cases }, ...others] });
    const turns = turnsOf(plan, {}, { maxTurnSteps: 100 });
    expect(turns.length).toBeGreaterThan(2);
    for (const { state } of turns) expect(JSON.stringify(state).length).toBeLessThan(6_000);
    expect(rowsOf(turns)[0]?.note).toMatch(/Further conditions could not be evaluated.*Took default to none\.$/);
  });

  it('changes nothing in what comes of any definition, however early it ends', () => {
    for (let seed = 0; seed < 60; seed++) {
      const plan = planOf(randomDefinition(new Random(seed), { length: 4, depth: 2, maxWaitMillis: 5_000 }));
      const scenario: Scenario = {
        startedAt: 0,
        payload: { order: 1, flag: seed % 3 },
        labels: {},
        vars: {},
        answers: new Map(),
        actions: [],
      };
      const played = [1, Infinity].map((maxTurnSteps) =>
        simulate(plan, scenario, { limits: { maxTurnSteps, maxTurnBytes: Infinity } }),
      );
      expect(played[0]).toEqual(played[1]);
    }
  });
});
