import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../../src/core/context/context.ts';
import { compileExpression } from '../../src/core/expression/expression.ts';
import { expressionOperators } from '../../src/core/expression/operators.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../src/core/value/json.ts';
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
};

/** Holds when the example gives that value; lists are compared by length and items, since JSON Logic compares them by identity. */
function gives(example: Json, value: Json): Json {
  if (!Array.isArray(value)) return { '===': [example, value] };
  return { and: [{ '===': [{ length: [example] }, value.length] }, { '==': [{ cat: [example] }, value.join(',')] }] };
}

describe('the operators of the guide', () => {
  it('are all that there are', () => {
    expect(rows.map(({ operator }) => operator)).toEqual(expressionOperators);
  });

  it.each(rows)('$operator', ({ operator, example, gives: value }) => {
    expect(isJsonObject(example) && Object.keys(example)).toEqual([operator]);
    const compiled = compileExpression(gives(example, value), { nodeIds: new Set(), allow: { callback: false } });
    if ('errors' in compiled) throw new Error(compiled.errors.join('\n'));
    expect(compiled.expression.evaluate(context)).toEqual({ ok: true, truthy: true });
  });
});
