import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../../src/core/definition/compile.ts';
import { isJsonObject, type Json, stringifyJson } from '../../src/core/value/json.ts';
import type { Plan } from '../../src/core/plan.ts';
import { readScenario } from '../../src/scenario/document/read.ts';
import { simulate, type SimulationResult } from '../../src/scenario/simulate.ts';
import {
  type Block,
  blocksIn,
  documentedBlocks,
  looksLikeDefinition,
  valueOf,
  wholeAround,
} from './documented-blocks.ts';

const data: ReadonlySet<string> = new Set(['json', 'yaml']);
const parts: readonly string[] = ['definition', 'steps', 'nodes', 'call', 'policy', 'condition'];
const known: ReadonlySet<string> = new Set([...parts, 'warns', 'invalid', 'scenario', 'payload', 'sent']);

const blocks = [...documentedBlocks.values()].flat().filter(({ language }) => data.has(language));

/** Blocks with one of these words, with the page before each. */
function marked(...words: string[]): { block: Block; page: readonly Block[]; at: number }[] {
  return [...documentedBlocks.values()].flatMap((page) =>
    page.flatMap((block, at) => (block.words.some((word) => words.includes(word)) ? [{ block, page, at }] : [])),
  );
}

/** The nearest block before, of one of these kinds. */
function before(page: readonly Block[], at: number, words: readonly string[]): Block {
  const found = page.slice(0, at).findLast((block) => block.words.some((word) => words.includes(word)));
  if (found === undefined) throw new Error(`${page[at]?.place ?? ''}: there is no ${words.join(' or ')} before`);
  return found;
}

function compiled(block: Block): { plan: Plan; warnings: readonly string[] } {
  const word = block.words.find((one) => parts.includes(one)) ?? '';
  const compilation = compileDefinition(wholeAround(word, valueOf(block)) ?? null, { hash: '' });
  if (!compilation.ok) throw new Error(`${block.place}:\n${compilation.errors.join('\n')}`);
  return compilation;
}

function play(plan: Plan, scenario: Json, place: string): SimulationResult {
  const read = readScenario(scenario, plan);
  if (!read.ok) throw new Error(`${place}:\n${read.errors.join('\n')}`);
  return simulate(plan, read.scenario);
}

describe('blocks of the documents', () => {
  it.each(blocks.map((block) => [block.place, block] as const))('%s can be read', (_place, block) => {
    const value = valueOf(block);
    expect(block.words.filter((word) => !known.has(word))).toEqual([]);
    // A definition that no test checks must not be shown.
    if (looksLikeDefinition(value))
      expect(block.words.some((word) => word === 'definition' || word === 'invalid')).toBe(true);
  });

  it.each(marked(...parts).map(({ block }) => [block.place, block] as const))('%s is valid', (_place, block) => {
    const { warnings } = compiled(block);
    const isWhole = block.words.includes('definition');
    if (block.words.includes('warns')) expect(warnings).not.toEqual([]);
    else if (isWhole) expect(warnings).toEqual([]);
  });

  it.each(marked('invalid').map((entry) => [entry.block.place, entry] as const))(
    '%s is as wrong as it says',
    (_place, entry) => {
      const compilation = compileDefinition(valueOf(entry.block), { hash: '' });
      const listed = entry.page[entry.at + 1]?.text.trimEnd();
      expect(compilation.ok ? '' : compilation.errors.join('\n')).toBe(listed);
    },
  );

  it.each(marked('scenario').map((entry) => [entry.block.place, entry] as const))(
    '%s comes as expected',
    (_place, entry) => {
      const { plan } = compiled(before(entry.page, entry.at, ['definition']));
      const scenario = valueOf(entry.block);
      const { diffs, stopped } = play(plan, scenario, entry.block.place);
      expect(isJsonObject(scenario) && 'expect' in scenario).toBe(true);
      expect(diffs.flatMap(({ field, lines }) => [field, ...lines])).toEqual([]);
      expect(stopped).toBeUndefined();
    },
  );

  it.each(marked('sent').map((entry) => [entry.block.place, entry] as const))('%s is what is sent', (_place, entry) => {
    const { page, at, block } = entry;
    const { plan } = compiled(before(page, at, ['call']));
    const payload = valueOf(before(page, at, ['payload']));
    const { trace } = play(plan, { payload, vars: { BASE: 'http://service.example' } }, block.place);
    const call = trace.find((one) => one.kind === 'call');
    const sent = call?.kind === 'call' ? (call.request ?? { unsent: call.note }) : undefined;
    const said = valueOf(block) as Readonly<Record<string, Json>>;
    const shown = Object.fromEntries(
      Object.keys(said).map((key) => [key, (sent as Record<string, unknown>)[key] ?? null]),
    );
    expect(shown).toEqual(textBody(said));
  });

  it('reads fences, words and indented blocks', () => {
    const text = 'a\n\n```json definition warns\n{}\n```\n\n- b\n  ~~~sh\n  ls\n  ~~~\n';
    expect(blocksIn('x.md', text)).toEqual([
      { place: 'x.md:3', path: 'x.md', language: 'json', words: ['definition', 'warns'], text: '{}\n' },
      { place: 'x.md:8', path: 'x.md', language: 'sh', words: [], text: 'ls\n' },
    ]);
  });
});

/** A body may be shown as JSON or as its text. */
function textBody(said: Readonly<Record<string, Json>>): Record<string, unknown> {
  const { body } = said;
  return body === undefined || typeof body === 'string' ? said : { ...said, body: stringifyJson(body) };
}
