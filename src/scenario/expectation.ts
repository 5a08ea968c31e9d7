/** Compares the expectations of a scenario with what happened. */
import { canonicalJson, jsonEqual, stringifyJson } from '../core/value/json.ts';
import type { Json } from '../core/value/json.ts';
import type { StandingEffect } from './play/journal.ts';
import { nodeName } from './names.ts';
import type { Expectation, ExpectedEffect } from './scenario.ts';

/** One difference between an expectation and what happened. */
export interface Difference {
  readonly field: keyof Expectation;
  /** For people: the expected and the actual value, as lines that begin with `-`, `+` or a blank. */
  readonly lines: readonly string[];
}

/** The outcome of an execution, as far as a scenario can state expectations about it. */
export interface Happened {
  readonly status: string;
  /** All names of each call, the most exact one first. */
  readonly calls: readonly (readonly string[])[];
  readonly standing: readonly StandingEffect[];
  readonly result?: Json;
  readonly failedNodeId?: string;
  readonly reason?: string;
}

/** All differences; none when every expectation is met. */
export function differences(expect: Expectation, happened: Happened): readonly Difference[] {
  const found: Difference[] = [];
  for (const field of ['status', 'reason', 'failedNodeId'] as const) {
    const wanted = expect[field];
    if (wanted !== undefined && wanted !== happened[field]) {
      found.push({ field, lines: [`- ${wanted}`, `+ ${happened[field] ?? '(none)'}`] });
    }
  }
  if (expect.calls !== undefined) {
    const calls = namedAs(expect.calls, happened.calls);
    if (expect.calls.join('\n') !== calls.join('\n')) {
      found.push({ field: 'calls', lines: diffLines(expect.calls, calls) });
    }
  }
  if (expect.standing !== undefined) {
    const lines = standingLines(expect.standing, happened.standing);
    if (lines.length > 0) found.push({ field: 'standing', lines });
  }
  if (expect.result !== undefined && !isSame(expect.result.body, happened.result)) {
    const got = happened.result === undefined ? '(none)' : stringifyJson(happened.result);
    found.push({ field: 'result', lines: [`- ${stringifyJson(expect.result.body)}`, `+ ${got}`] });
  }
  return found;
}

/** Each call by the name that is expected in its place, else by one that is expected anywhere, else by its most exact one. */
function namedAs(expected: readonly string[], calls: Happened['calls']): readonly string[] {
  const known = new Set(expected);
  return calls.map(
    (names, i) => names.find((name) => name === expected[i]) ?? names.find((name) => known.has(name)) ?? names[0] ?? '',
  );
}

/** A missing result meets an expected null. */
function isSame(wanted: Json, got: Json | undefined): boolean {
  return jsonEqual(wanted, got ?? null);
}

function standingLines(expected: readonly ExpectedEffect[], standing: readonly StandingEffect[]): string[] {
  const left = [...standing];
  const missing = expected.filter((wanted) => {
    const i = left.findIndex((effect) => agrees(wanted, effect));
    if (i >= 0) left.splice(i, 1);
    return i < 0;
  });
  return [...missing.map((effect) => `- ${effectText(effect)}`), ...left.map((effect) => `+ ${effectText(effect)}`)];
}

function agrees(wanted: ExpectedEffect, effect: StandingEffect): boolean {
  return canonicalJson({ ...effect, ...wanted }) === canonicalJson({ ...effect });
}

function effectText({ nodeId, item, visit, round, outcome }: ExpectedEffect): string {
  const details = [
    ...(visit === undefined ? [] : [`visit ${String(visit)}`]),
    ...(round === undefined ? [] : [`round ${String(round)}`]),
    ...(outcome === undefined ? [] : [outcome]),
  ];
  const name = nodeName([{ nodeId, item }]);
  return details.length === 0 ? name : `${name} (${details.join(', ')})`;
}

/** Longest lists compared line by line; longer ones are compared from the first difference on. */
const maxCompared = 500;

/** The two lists as one, by their longest common subsequence: `-` only expected, `+` only actual, a blank both. */
function diffLines(expected: readonly string[], happened: readonly string[]): string[] {
  if (expected.length > maxCompared || happened.length > maxCompared) return diffTail(expected, happened);
  const common = commonLengths(expected, happened);
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < expected.length || j < happened.length) {
    const [wanted, got] = [expected[i], happened[j]];
    if (wanted !== undefined && wanted === got) {
      lines.push(`  ${wanted}`);
      i++;
      j++;
    } else if (got === undefined || (wanted !== undefined && (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      lines.push(`- ${wanted ?? ''}`);
      i++;
    } else {
      lines.push(`+ ${got}`);
      j++;
    }
  }
  return lines;
}

/** Lengths of the longest common subsequence of the rests of both lists, from each pair of positions on. */
function commonLengths(a: readonly string[], b: readonly string[]): number[][] {
  const lengths = Array.from({ length: a.length + 1 }, () => Array.from({ length: b.length + 1 }, () => 0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const longer = Math.max(lengths[i + 1]?.[j] ?? 0, lengths[i]?.[j + 1] ?? 0);
      (lengths[i] ?? [])[j] = a[i] === b[j] ? (lengths[i + 1]?.[j + 1] ?? 0) + 1 : longer;
    }
  }
  return lengths;
}

function diffTail(expected: readonly string[], happened: readonly string[]): string[] {
  const limit = Math.max(expected.length, happened.length);
  let first = 0;
  while (first < limit && expected[first] === happened[first]) first++;
  const shown = 20;
  return [
    `  (${String(first)} calls alike)`,
    ...expected.slice(first, first + shown).map((name) => `- ${name}`),
    ...happened.slice(first, first + shown).map((name) => `+ ${name}`),
    `  (${String(expected.length)} expected, ${String(happened.length)} made)`,
  ];
}
