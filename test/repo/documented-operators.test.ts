import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../../src/core/context/context.ts';
import { compileExpression } from '../../src/core/expression/expression.ts';
import { datePatternFields } from '../../src/core/expression/date-pattern.ts';
import { expressionOperators } from '../../src/core/expression/operators.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../src/core/value/json.ts';
import { repositoryFiles } from './source-files.ts';

const [page] = repositoryFiles('docs/guide/templates.md');
const section = page?.text.split('### Operators')[1] ?? '';

/** The payload that the page names. */
const payload = parseJson(/payload `(\{.*\})`/.exec(section)?.[1] ?? 'null') as JsonObject;

/** Cells of the table: operator, meaning, example, value. */
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(/(?<!\\)\|/).map((text) => text.trim().replaceAll(/^`|`$/g, '')))
  .map(([, operator = '', , example = '', gives = '']) => ({
    operator,
    example: parseJson(example),
    gives: parseJson(gives),
  }));

const context: RenderContext = {
  payload,
  labels: {},
  sagaId: '',
  sagaName: '',
  sagaVersion: '',
  stepName: '',
  phase: 'UP',
  attempt: 1,
  round: 1,
  variable: () => undefined,
  secret: () => undefined,
  node: () => undefined,
  completed: [],
  occasion: { at: Date.UTC(2027, 2, 5, 9, 4), key: 'e1:1:pay:1' },
};

it('names every field of patterns of dates', () => {
  const line = section.split('\n').find((text) => text.includes('letters of CLDR')) ?? '';
  const next = section.split(line)[1]?.split('\n')[1] ?? '';
  const named = new Set([...`${line}${next}`.matchAll(/`([A-Za-z]+)`/g)].map(([, field]) => field));
  expect(datePatternFields.filter((field) => !named.has(field))).toEqual([]);
});

describe('the operators of the guide', () => {
  it('are all that there are', () => {
    expect(rows.map(({ operator }) => operator)).toEqual(expressionOperators);
  });

  it.each(rows)('$operator', ({ operator, example, gives: value }) => {
    expect(isJsonObject(example) && Object.keys(example)).toEqual([operator]);
    const compiled = compileExpression(example, { nodeIds: new Set(), allow: { callback: false } });
    if ('errors' in compiled) throw new Error(compiled.errors.join('\n'));
    expect(compiled.expression.compute(context)).toEqual({ ok: true, value });
  });
});
