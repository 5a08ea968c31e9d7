/** Broken graphs: ids, references, kinds of nodes, splits and joins. */
import type { JsonObject } from '../../src/core/value/json.ts';
import type { BrokenDefinition } from './broken.ts';
import { call, graph, task } from './parts.ts';

/** An async task whose callback is changed. */
const async = (callback: JsonObject, request: JsonObject = call): JsonObject =>
  task('ask', { action: { mode: 'async', request, callback: { timeoutMillis: 1000, ...callback } } });

/** See {@link BrokenDefinition}. */
export const brokenGraphs: readonly BrokenDefinition[] = [
  {
    name: 'node without a kind',
    definition: graph(task('a', { next: 'b' }), { id: 'b' }),
    errors: [
      'nodes[1].kind: This field is required: task, switch, sleep, split, join, fail, set, forEach or workflow.',
    ],
  },
  {
    name: 'unknown kind',
    definition: graph({ kind: 'step', id: 'a' }),
    errors: ['nodes[0].kind: "step" is not one of task, switch, sleep, split, join, fail, set, forEach, workflow.'],
  },
  {
    name: 'id that is too long',
    definition: graph(task('i'.repeat(129))),
    errors: ['nodes[0].id: Must have at most 128 characters, not 129.'],
  },
  { name: 'blank id', definition: graph(task('a'), task(' ')), errors: ['nodes[1].id: Must not be blank.'] },
  {
    name: 'duplicate ids',
    definition: graph(task('a', { next: 'b' }), task('b'), task('b')),
    errors: ['nodes[2].id: "b" is already the id of nodes[1].'],
  },
  {
    name: 'dangling next',
    definition: graph(task('reserve', { next: 'shipp' }), task('ship')),
    errors: [
      'nodes[0].next: There is no node "shipp"; did you mean "ship"?',
      'nodes[1].id: No path leads from the entrypoint to "ship".',
    ],
  },
  {
    name: 'dangling failure route',
    definition: graph(task('a', { onFailure: 'elsewhere' })),
    errors: ['nodes[0].onFailure: There is no node "elsewhere".'],
  },
  {
    name: 'dangling entrypoint',
    definition: { name: 'order', version: '1', entrypoint: 'start', nodes: [task('begin')] },
    errors: ['entrypoint: There is no node "start".'],
  },
  {
    name: 'dangling targets of a switch',
    definition: graph({ kind: 'switch', id: 's', cases: [{ when: true, target: 'a' }], default: 'b' }),
    errors: ['nodes[0].cases[0].target: There is no node "a".', 'nodes[0].default: There is no node "b".'],
  },
  {
    name: 'switch without cases',
    definition: graph({ kind: 'switch', id: 's', cases: [], default: 'a' }, task('a')),
    errors: ['nodes[0].cases: Must have at least one element, not none.'],
  },
  {
    name: 'unknown operator',
    definition: graph(
      { kind: 'switch', id: 's', cases: [{ when: { equals: [1, 2] }, target: 'a' }], default: 'a' },
      task('a'),
    ),
    errors: ['nodes[0].cases[0].when: The operator "equals" is not known; the guide "Templates" lists all.'],
  },
  {
    name: 'condition that reads an unknown node',
    definition: graph(
      { kind: 'switch', id: 's', cases: [{ when: { var: 'nodes.x.response.body' }, target: 'a' }], default: 'a' },
      task('a'),
    ),
    errors: [
      'nodes[0].cases[0].when: The path "nodes.x.response.body" names a node that the definition does not have.',
    ],
  },
  {
    name: 'unreachable node',
    definition: graph(task('a'), task('b', { next: 'c' }), task('c')),
    errors: [
      'nodes[1].id: No path leads from the entrypoint to "b".',
      'nodes[2].id: No path leads from the entrypoint to "c".',
    ],
  },
  {
    name: 'sleep without a time',
    definition: graph({ kind: 'sleep', id: 'nap' }),
    errors: ['nodes[0]: Needs exactly one of durationMillis, duration or until, but has none of them.'],
  },
  {
    name: 'sleep with two times',
    definition: graph({ kind: 'sleep', id: 'nap', durationMillis: 5, duration: 'PT1S' }),
    errors: ['nodes[0]: Needs exactly one of durationMillis, duration or until, but has durationMillis and duration.'],
  },
  {
    name: 'sleep for no time',
    definition: graph({ kind: 'sleep', id: 'nap', durationMillis: 0 }),
    errors: [
      'nodes[0].durationMillis: Must be a time in milliseconds, a whole number from 1 to 31557600000000, not 0.',
    ],
  },
  {
    name: 'duration with months',
    definition: graph({ kind: 'sleep', id: 'nap', duration: 'P1M' }),
    errors: ['nodes[0].duration: "P1M" has years or months, whose length varies; write days or weeks.'],
  },
  {
    name: 'duration that is none',
    definition: graph({ kind: 'sleep', id: 'nap', duration: '5 minutes' }),
    errors: ['nodes[0].duration: "5 minutes" is not an ISO 8601 duration such as PT5M, PT1H30M or P2D.'],
  },
  {
    name: 'duration of nothing',
    definition: graph({ kind: 'sleep', id: 'nap', duration: 'PT0S' }),
    errors: ['nodes[0].duration: "PT0S" is not longer than nothing.'],
  },
  {
    name: 'until that is no time',
    definition: graph({ kind: 'sleep', id: 'nap', until: '2027-01-01T09:00' }),
    errors: [
      'nodes[0].until: "2027-01-01T09:00" has neither an offset, like +01:00 or Z, nor a zone, like [Europe/Berlin].',
    ],
  },
  {
    name: 'until in a zone that does not exist',
    definition: graph({ kind: 'sleep', id: 'nap', until: '2027-01-01T09:00[Europe/Berln]' }),
    errors: [
      'nodes[0].until: "2027-01-01T09:00[Europe/Berln]" names the zone Europe/Berln, which the IANA database does not have.',
    ],
  },
  {
    name: 'fail without a reason',
    definition: graph({ kind: 'fail', id: 'stop' }),
    errors: ['nodes[0].reason: This field is required.'],
  },

  {
    name: 'async without a callback',
    definition: graph(task('ask', { action: { mode: 'async', request: call } })),
    errors: ['nodes[0].action.callback: This field is required.'],
  },
  {
    name: 'sync with a callback',
    definition: graph(task('ask', { action: { mode: 'sync', request: call, callback: { timeoutMillis: 1 } } })),
    errors: ['nodes[0].action.callback: This field belongs to mode "async", not to "sync".'],
  },
  {
    name: 'unknown mode',
    definition: graph(task('ask', { action: { mode: 'asynch', request: call } })),
    errors: ['nodes[0].action.mode: "asynch" is not one of sync, async; did you mean "async"?'],
  },
  {
    name: 'callback without a time',
    definition: graph(async({ timeoutMillis: null })),
    errors: ['nodes[0].action.callback.timeoutMillis: This field is required.'],
  },
  {
    name: 'condition on a callback that reads another',
    definition: graph(async({ successWhen: { var: 'callback.status' } })),
    errors: [
      'nodes[0].action.callback.successWhen: The path "callback.status" reads something else than callback.body.',
    ],
  },
  {
    name: 'callback address in a compensation',
    definition: graph({
      ...async({}, { ...call, verb: 'POST', body: '{{runtime.callback.url}}' }),
      compensation: { ...call, verb: 'POST', body: '{{runtime.callback.url}}' },
    }),
    errors: [
      'nodes[0].compensation.body: The path "runtime.callback.url" can be read in requests of async nodes only.',
    ],
  },

  {
    name: 'split with one branch',
    definition: graph({ kind: 'split', id: 's', branches: ['a'], join: 'j' }, task('a', { next: 'j' }), {
      kind: 'join',
      id: 'j',
    }),
    errors: ['nodes[0].branches: Must have at least 2 elements, not 1.'],
  },
  {
    name: 'split with a branch twice',
    definition: graph({ kind: 'split', id: 's', branches: ['a', 'a'], join: 'j' }, task('a'), {
      kind: 'join',
      id: 'j',
    }),
    errors: ['nodes[0].branches[1]: "a" is already at nodes[0].branches[0].'],
  },
  {
    name: 'dangling branch and join',
    definition: graph({ kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' }, task('a')),
    errors: ['nodes[0].branches[1]: There is no node "b".', 'nodes[0].join: There is no node "j".'],
  },
  {
    name: 'join that is a task',
    definition: graph({ kind: 'split', id: 's', branches: ['a', 'b'], join: 'c' }, task('a'), task('b'), task('c')),
    errors: ['nodes[0].join: "c" is a task, not a join.'],
  },
  {
    name: 'join without a split',
    definition: graph(task('a', { next: 'j' }), { kind: 'join', id: 'j' }),
    errors: ['nodes[1].id: The join "j" belongs to no split; name it as the join of one.'],
  },
  {
    name: 'join of two splits',
    definition: graph(
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a'),
      { kind: 'split', id: 'b', branches: ['c', 'd'], join: 'j' },
      task('c'),
      task('d'),
      { kind: 'join', id: 'j' },
    ),
    errors: ['nodes[2].join: The join "j" already belongs to the split "s" (nodes[0]); every split needs its own.'],
  },
  {
    name: 'join reached from outside',
    definition: graph(
      task('start', { next: 's', onFailure: 'j' }),
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a', { next: 'j' }),
      task('b', { next: 'j' }),
      { kind: 'join', id: 'j' },
    ),
    errors: ['nodes[0].onFailure: "j" is the join of the split "s"; only its own branches may end there.'],
  },
  {
    name: 'branches that merge',
    definition: graph(
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a', { next: 'c' }),
      task('b', { next: 'c' }),
      task('c', { next: 'j' }),
      { kind: 'join', id: 'j' },
    ),
    errors: [
      'nodes[2].next: Branch "b" of the split "s" merges with branch "a" at "c"; branches meet only at their join "j".',
    ],
  },
  {
    name: 'branch that leaves its split',
    definition: graph(
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a', { next: 'after' }),
      task('b', { next: 'j' }),
      { kind: 'join', id: 'j', next: 'after' },
      task('after'),
    ),
    errors: [
      'nodes[1].next: "after" lies outside of branch "a" of the split "s", which may end only at its join "j" or at a node without next.',
    ],
  },
  {
    name: 'branch that goes back before its split',
    definition: graph(
      task('start', { next: 's' }),
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a', { onFailure: 'start' }),
      task('b'),
      { kind: 'join', id: 'j' },
    ),
    errors: [
      'nodes[2].onFailure: "start" lies outside of branch "a" of the split "s", which may end only at its join "j" or at a node without next.',
    ],
  },
  {
    name: 'inner branch that goes to the outer join',
    definition: graph(
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      { kind: 'split', id: 'a', branches: ['c', 'd'], join: 'k' },
      task('c', { next: 'j' }),
      task('d', { next: 'k' }),
      { kind: 'join', id: 'k', next: 'j' },
      task('b', { next: 'j' }),
      { kind: 'join', id: 'j' },
    ),
    errors: ['nodes[2].next: "j" is the join of the split "s"; only its own branches may end there.'],
  },
  {
    name: 'branch entered from outside',
    definition: graph(
      task('start', { next: 's', onFailure: 'a' }),
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a'),
      task('b'),
      { kind: 'join', id: 'j' },
    ),
    errors: ['nodes[1].branches[0]: "a" is also reached by nodes[0].onFailure; a branch begins at a node of its own.'],
  },
  {
    name: 'branch that is a join',
    definition: graph({ kind: 'split', id: 's', branches: ['a', 'j'], join: 'j' }, task('a'), {
      kind: 'join',
      id: 'j',
    }),
    errors: ['nodes[0].branches[1]: "j" is a join; a branch begins at another node.'],
  },
];
