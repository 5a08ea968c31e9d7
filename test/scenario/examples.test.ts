import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDefinitionText, parseDocumentText } from '../../src/cli/documents/document-file.ts';
import { compileDefinition, type Compilation } from '../../src/core/definition/compile.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { Json } from '../../src/core/value/json.ts';
import { readScenario } from '../../src/scenario/document/read.ts';
import { simulate } from '../../src/scenario/simulate.ts';

const root = join(import.meta.dirname, '../../examples');
const definitions = globSync('**/definition.{json,yaml}', { cwd: root }).toSorted();

function document(path: string): Json {
  return parseDocumentText(readFileSync(path, 'utf8'), path);
}

function compile(definition: string): Compilation {
  return compileDefinition(document(join(root, definition)), { hash: '' });
}

function planOf(definition: string): Plan {
  const compiled = compile(definition);
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

/** The definitions that the nodes of an example start. */
function startedBy(definition: string): readonly string[] {
  const directory = dirname(definition);
  return globSync('with/*.{json,yaml}', { cwd: join(root, directory) })
    .toSorted()
    .map((file) => join(directory, file));
}

describe('the examples', () => {
  it('are at least ten', () => {
    expect(new Set(definitions.map((path) => path.split('/')[0])).size).toBeGreaterThanOrEqual(10);
  });
});

describe.each(definitions)('%s', (definition) => {
  const directory = join(root, dirname(definition));
  const scenarios = globSync('scenarios/*.{json,yaml}', { cwd: directory }).toSorted();

  const others = startedBy(definition);

  it.each([definition, ...others])('is valid, without a warning, as validate --strict demands: %s', (file) => {
    const path = join(root, file);
    const { warnings } = parseDefinitionText(readFileSync(path, 'utf8'), path);
    const compiled = compile(file);
    expect(compiled.ok ? [] : compiled.errors).toEqual([]);
    expect([...warnings, ...compiled.warnings]).toEqual([]);
  });

  it('has a README, a payload that it accepts, and three scenarios or more', () => {
    const payload = document(join(directory, 'payload.json'));
    expect(existsSync(join(directory, 'README.md'))).toBe(true);
    expect(readScenario({ payload }, planOf(definition))).toMatchObject({ ok: true });
    expect(scenarios.length).toBeGreaterThanOrEqual(3);
  });

  it.each(scenarios)('comes as expected: %s', (path) => {
    const plan = planOf(definition);
    const given = { with: others.map(planOf) };
    const read = readScenario(document(join(directory, path)), plan, given);
    if (!read.ok) throw new Error(`${relative(root, join(directory, path))}: ${read.errors.join('\n')}`);
    expect(read.scenario.expect?.status, 'expects a status').toBeDefined();
    const result = simulate(plan, read.scenario, given);
    expect(result.diffs.flatMap(({ field, lines }) => [field, ...lines])).toEqual([]);
    expect(result.stopped).toBeUndefined();
    expect(
      result.trace.filter((entry) => entry.kind === 'call' && entry.request === undefined),
      'calls that could not be rendered',
    ).toEqual([]);
    expect(result.trace.filter((entry) => entry.kind === 'action' && !entry.accepted)).toEqual([]);
  });
});
