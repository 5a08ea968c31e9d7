import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../../core/definition/compile.ts';
import type { Json } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import { readScenario } from './read.ts';

const request = { url: 'http://a.example/x', verb: 'POST' };

const definition: Json = {
  name: 'd',
  version: '1',
  requiredPayload: ['order.id'],
  entrypoint: 'charge',
  onFailureCallback: request,
  nodes: [
    { kind: 'task', id: 'charge', action: { mode: 'sync', request }, compensation: request, next: 'ask' },
    {
      kind: 'task',
      id: 'ask',
      action: { mode: 'async', request, callback: { timeoutMillis: 1000 } },
      compensation: request,
      next: 'nap',
    },
    { kind: 'sleep', id: 'nap', durationMillis: 5, next: 'read' },
    { kind: 'task', id: 'read', action: { mode: 'sync', request: { ...request, verb: 'GET' } } },
  ],
};

function plan(): Plan {
  const compiled = compileDefinition(definition, { hash: '' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

const payload = { order: { id: 7 } };

function errorsOf(document: Json): readonly string[] {
  const read = readScenario(document, plan());
  return read.ok ? [] : read.errors;
}

describe('reading a scenario', () => {
  it('accepts everything that there is', () => {
    const read = readScenario(
      {
        $schema: 's',
        'x-owner': 'payments',
        name: 'all of it',
        startedAt: '2030-01-01T00:00:00Z',
        payload,
        labels: { team: 'a' },
        vars: { BASE: 'http://b' },
        nodes: {
          charge: [{ status: 500 }, { error: 'timeout' }],
          'charge:DOWN': { status: 404 },
          ask: [{ callback: [{ body: 1 }, { afterMillis: 3 }] }],
          onFailureCallback: [{ headers: { A: 'b' }, afterMillis: 2, body: null }],
        },
        actions: [
          { atMillis: 9, do: 'terminate' },
          { atMillis: 5, do: 'retry', force: true },
          { atMillis: 5, do: 'resolve', nodeId: 'ask', phase: 'UP', outcome: 'succeeded' },
        ],
        expect: {
          status: 'FAILED',
          calls: ['charge', 'charge:DOWN'],
          standing: ['ask', { nodeId: 'charge', visit: 1 }],
        },
      },
      plan(),
    );
    expect(read).toMatchObject({ ok: true });
    if (!read.ok) return;
    const { answers, actions, expect: expected } = read.scenario;
    expect([...answers.keys()]).toEqual(['charge:UP', 'charge:DOWN', 'ask:UP', 'onFailureCallback:HOOK']);
    expect(answers.get('ask:UP')?.[0]?.callbacks).toEqual([{ body: 1 }, { afterMillis: 3, body: {} }]);
    expect(answers.get('onFailureCallback:HOOK')?.[0]).toMatchObject({ body: null });
    expect(actions.map((action) => action.do)).toEqual(['retry', 'resolve', 'terminate']);
    expect(expected?.calls).toEqual(['charge:UP', 'charge:DOWN']);
    expect(expected?.result).toBeUndefined();
  });

  it.each<[string, Json, RegExp]>([
    ['no object', [], /^scenario: Must be an object, not a list\.$/],
    ['an unknown field', { payload, nodez: {} }, /^nodez: .*did you mean "nodes"\?$/],
    ['a missing payload field', {}, /^payload\.order\.id: The definition requires this/],
    ['an unknown node', { payload, nodes: { chrage: [{}] } }, /^nodes\.chrage: .*did you mean "charge"\?$/],
    ['a node without a call', { payload, nodes: { nap: [{}] } }, /^nodes\.nap: The sleep node "nap" makes no call\.$/],
    ['no compensation', { payload, nodes: { 'read:DOWN': [{}] } }, /^nodes\["read:DOWN"\]: .* has no compensation\.$/],
    ['a missing hook', { payload, nodes: { onSuccessCallback: [{}] } }, /has no onSuccessCallback\.$/],
    ['the same call twice', { payload, nodes: { charge: [{}], 'charge:UP': [{}] } }, /listed twice\.$/],
    ['no answer', { payload, nodes: { charge: [] } }, /^nodes\.charge: Must have at least one element/],
    [
      'a status that is none',
      { payload, nodes: { charge: [{ status: 99 }] } },
      /^nodes\.charge\[0\]\.status: Must be an HTTP/,
    ],
    [
      'an error with a status',
      { payload, nodes: { charge: [{ status: 200, error: 'body' }] } },
      /^nodes\.charge\[0\]\.status/,
    ],
    [
      'a callback to a sync node',
      { payload, nodes: { charge: [{ callback: {} }] } },
      /Only the request of an async node/,
    ],
    [
      'an unknown action',
      { payload, actions: [{ atMillis: 1, do: 'cancle' }] },
      /^actions\[0\]\.do: "cancle" is not one of cancel, /,
    ],
    [
      'an odd force',
      { payload, actions: [{ atMillis: 1, do: 'retry', force: 'yes' }] },
      /^actions\[0\]\.force: Must be true/,
    ],
    [
      'no instant',
      { payload, startedAt: 'today' },
      /^startedAt: "today" is no ISO 8601 time with an offset or a zone\.$/,
    ],
    ['an unknown call expected', { payload, expect: { calls: ['nap'] } }, /^expect\.calls\[0\]: /],
    ['an unknown standing node', { payload, expect: { standing: ['nope'] } }, /^expect\.standing\[0\]: /],
    ['an unknown failed node', { payload, expect: { failedNodeId: 'asks' } }, /did you mean "ask"\?$/],
  ])('finds %s', (_name, document, sentence) => {
    expect(errorsOf(document)).toEqual([expect.stringMatching(sentence)]);
  });

  it('collects all problems', () => {
    expect(errorsOf({ payload, nodes: { x1: [{}], x2: [{}] }, expect: { failedNodeId: 'x3' } })).toHaveLength(3);
  });

  it('reads the form by steps', () => {
    const read = readScenario(
      { payload, steps: { charge: { up: [500, { statusCode: 201, delayMillis: 5 }], down: { status: 204 } } } },
      plan(),
    );
    expect(read).toMatchObject({ ok: true });
    if (!read.ok) return;
    expect(read.scenario.answers.get('charge:UP')).toMatchObject([{ status: 500 }, { status: 201, afterMillis: 5 }]);
    expect(read.scenario.answers.get('charge:DOWN')).toMatchObject([{ status: 204 }]);
  });

  it.each<[what: string, step: Json, answers: readonly object[]]>([
    ['status and body', { status: 201, body: { id: 7 } }, [{ status: 201, body: { id: 7 }, callbacks: [] }]],
    ['a list', [{ status: 500 }, { body: null }, 204], [{ status: 500 }, { body: null }, { status: 204 }]],
    ['a body alone', { status: null, body: 'text' }, [{ body: 'text' }]],
  ])('reads %s of a sync step', (_what, step, answers) => {
    const read = readScenario({ payload, steps: { charge: step } }, plan());
    expect(read).toMatchObject({ ok: true });
    if (read.ok) expect(read.scenario.answers.get('charge:UP')).toMatchObject(answers);
  });

  it.each<[what: string, step: Json, answer: object]>([
    [
      'acceptedStatus and callbackBody',
      { acceptedStatus: 202, callbackBody: { ok: true } },
      { status: 202, callbacks: [{ body: { ok: true } }] },
    ],
    ['a callback without a body', { acceptedStatus: 200, callbackBody: null }, { callbacks: [{ body: null }] }],
    ['a request that is accepted', { body: { queued: 1 } }, { body: { queued: 1 }, callbacks: [{ body: {} }] }],
    ['a request that is refused', { acceptedStatus: 422 }, { status: 422, callbacks: [] }],
    ['a request that gets no answer', { error: 'timeout' }, { error: 'timeout', callbacks: [] }],
  ])('reads %s of an async step', (_what, step, answer) => {
    const read = readScenario({ payload, steps: { ask: step, 'ask:DOWN': { status: 404 } } }, plan());
    expect(read).toMatchObject({ ok: true });
    if (!read.ok) return;
    expect(read.scenario.answers.get('ask:UP')).toMatchObject([answer]);
    expect(read.scenario.answers.get('ask:DOWN')).toMatchObject([{ status: 404 }]);
  });

  it.each<[what: string, steps: Json, sentence: RegExp]>([
    ['an unknown field', { charge: { upp: [] } }, /^steps\.charge\.upp: .*did you mean "up"\?$/],
    [
      'an unknown field far from all',
      { charge: { x: 1 } },
      /^steps\.charge\.x: .*known are status, body, acceptedStatus/,
    ],
    ['no answer', { charge: 'ok' }, /^steps\.charge: Must be an object with status, body/],
    ['a status that is none', { charge: { status: 99 } }, /^steps\.charge\.status: Must be an HTTP/],
    ['one in a list', { charge: [{}, { status: 99 }] }, /^steps\.charge\[1\]\.status: Must be an HTTP/],
    ['an accepted status that is none', { ask: { acceptedStatus: 9 } }, /^steps\.ask\.acceptedStatus: Must be an HTTP/],
    ['one below up', { charge: { up: { status: 99 } } }, /^steps\.charge\.up\.status: Must be an HTTP/],
    [
      'one in a list below up',
      { charge: { up: [{ status: 99 }] } },
      /^steps\.charge\.up\[0\]\.status: Must be an HTTP/,
    ],
    ['two forms at once', { charge: { up: [], status: 200 } }, /^steps\.charge\.status: .*beside up/],
    ['a callback to a sync step', { charge: { callbackBody: {} } }, /^steps\.charge\.callbackBody: Only an async node/],
    [
      'a sync step that is accepted',
      { charge: { acceptedStatus: 202 } },
      /^steps\.charge\.acceptedStatus: Only an async/,
    ],
    ['two callbacks', { ask: { callback: {}, callbackBody: 1 } }, /^steps\.ask\.callbackBody: .*beside callback\.$/],
    ['an unknown step', { chrage: { status: 200 } }, /^steps\.chrage: .*did you mean "charge"\?$/],
    ['a step without a call', { nap: { status: 200 } }, /^steps\.nap: The sleep node "nap" makes no call\.$/],
  ])('finds %s in the form by steps', (_what, steps, sentence) => {
    expect(errorsOf({ payload, steps })[0]).toMatch(sentence);
    expect(errorsOf({ payload, steps }).every((line) => !line.includes('nodes'))).toBe(true);
  });

  it('finds both forms in one scenario', () => {
    expect(errorsOf({ payload, steps: {}, nodes: {} })).toEqual([expect.stringMatching(/^nodes: .*beside steps/)]);
  });
});
