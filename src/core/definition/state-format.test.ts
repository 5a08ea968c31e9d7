import { describe, expect, it } from 'vitest';
import type { Plan } from '../plan.ts';
import type { Json } from '../value/json.ts';
import { compileDefinition } from './compile.ts';

describe('the state format of a plan', () => {
  const planOf = (body: Json, when: Json): Plan | undefined => {
    const definition = {
      name: 'n',
      version: '1',
      entrypoint: 'choose',
      nodes: [
        { kind: 'switch', id: 'choose', cases: [{ when, target: 'a' }], default: 'a' },
        { kind: 'task', id: 'a', action: { mode: 'sync', request: { url: 'http://h/', verb: 'POST', body } } },
      ],
    };
    const compiled = compileDefinition(definition, { hash: 'h' });
    return compiled.ok ? compiled.plan : undefined;
  };

  it.each<[Json, Json, number]>([
    [{ a: 1 }, { '==': [{ var: 'payload.a' }, 1] }, 1],
    [{ a: { $logic: { var: 'payload.a' } } }, true, 2],
    [{ a: { $literal: 1 } }, true, 2],
    [{ a: 1 }, { starts_with: [{ var: 'payload.a' }, 'x'] }, 2],
    [{ a: 1 }, { some: [[1], { var: '$.payload.a' }] }, 2],
  ])('of %j and %j', (body, when, format) => {
    expect(planOf(body, when)?.format).toBe(format);
  });
});
