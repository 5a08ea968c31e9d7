import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../compile.ts';

function warningsOf(requiredPayload: readonly string[], ...paths: readonly string[]): readonly string[] {
  const compiled = compileDefinition(
    {
      name: 'n',
      version: '1',
      requiredPayload,
      entrypoint: 'a',
      nodes: [
        {
          kind: 'task',
          id: 'a',
          action: { mode: 'sync', request: { verb: 'GET', url: `http://h/?${paths.map((p) => `{{${p}}}`).join('')}` } },
          next: 'b',
        },
        {
          kind: 'switch',
          id: 'b',
          cases: paths.map((path) => ({ when: { var: path }, target: 'c' })),
          default: 'c',
        },
        { kind: 'task', id: 'c', action: { mode: 'sync', request: { verb: 'GET', url: 'http://h/' } } },
      ],
    },
    { hash: '' },
  );
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.warnings;
}

describe('reads of the payload beside requiredPayload', () => {
  it.each([
    [['order'], 'payload.ordr', 'payload.order'],
    [['order'], 'input.oder.id', 'payload.order.id'],
    [['customer.name', 'customer.mail'], 'payload.customer.nam', 'payload.customer.name'],
    [['["user.email"]'], 'payload["user.emial"]', 'payload[\\"user.email\\"]'],
    [['Order'], 'payload.order', 'payload.Order'],
  ])('%j: %s is probably %s', (required, path, meant) => {
    const sentence = `"${path.replaceAll('"', '\\"')}" is not in requiredPayload; did you mean "${meant}"?`;
    expect(warningsOf(required, path)).toEqual([
      `nodes[0].action.request.url: ${sentence}`,
      `nodes[1].cases[0].when: ${sentence}`,
    ]);
  });

  it.each([
    [['order'], 'payload.order.id'],
    [['order'], 'payload.order'],
    [['order.id'], 'payload.order'],
    [['order'], 'payload'],
    [['order'], 'payload.note'],
    [['item'], 'payload.items'],
    [['line1'], 'payload.line2'],
    [['items'], 'payload.items.0'],
    [[], 'payload.ordr'],
  ])('%j says nothing of %s', (required, path) => {
    expect(warningsOf(required, path)).toEqual([]);
  });

  it('is bounded, however many there are', () => {
    const required = Array.from({ length: 5000 }, (_, i) => `k${String(i).padStart(5, '0')}x`);
    const paths = Array.from({ length: 200 }, (_, i) => `payload.k${String(i)}yyyyy`);
    expect(warningsOf(required, ...paths)).toEqual([]);
  });
});
