/** Senseless definitions and requests: mutated, huge, deep, odd. The server refuses them, and lives on. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../simulator/random.ts';
import { brokenDefinitions } from '../../definitions/broken.ts';
import { validDefinitions } from '../../definitions/valid.ts';
import { openStage } from '../stage/stage.ts';

const stage = openStage();

const oddities: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  '',
  '{{',
  '{{{payload}}',
  '{{#a}}{{/b}}',
  '\u0000\ud800',
  '__proto__',
  [],
  {},
  [[[[]]]],
  { __proto__: null, constructor: 1 },
  { var: ['a', { var: 'b' }] },
  { value: '{{payload.x}}' },
  'x'.repeat(5000),
];

/** The same document with one place in it replaced, removed or doubled. */
function mutate(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.chance(0.15)) return random.pick(oddities);
  if (Array.isArray(value)) {
    if (value.length === 0) return [random.pick(oddities)];
    const at = random.int(0, value.length - 1);
    if (random.chance(0.2)) return [...value, value[at]];
    return value.map((item, i) => (i === at ? mutate(item, random) : item));
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return { [random.pick(['id', 'kind', '', 'a.b'])]: random.pick(oddities) };
  const at = random.int(0, entries.length - 1);
  if (random.chance(0.1)) return Object.fromEntries(entries.filter((_, i) => i !== at));
  return Object.fromEntries(entries.map(([key, item], i) => [key, i === at ? mutate(item, random) : item]));
}

describe('the server', () => {
  it('judges mutated definitions, and never fails itself', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    const documents = [...validDefinitions, ...brokenDefinitions].map(({ definition }) => definition);
    const wrong: string[] = [];
    for (let i = 0; i < 400; i++) {
      let document: unknown = random.pick(documents);
      for (let n = random.int(1, 3); n > 0; n--) document = mutate(document, random);
      const text = JSON.stringify(document);
      const path = random.chance(0.5) ? '/workflows/definitions/validate' : '/workflows/definitions';
      const { status, body } = await stage.ask('POST', path, text);
      const isSound = status === 200 || (status >= 400 && status < 500 && body.errors.length > 0);
      if (!isSound) wrong.push(`seed ${seed}: ${status} for ${text}`);
    }
    expect(wrong).toEqual([]);
    expect((await stage.ask('GET', '/healthz')).status).toBe(200);
  });

  it('survives paths, queries and headers of every sort', async () => {
    const wrong: string[] = [];
    const paths = [
      '/%',
      '/%00',
      '/workflows/%2e%2e/x',
      '/workflows?cursor=%00',
      '/workflows?label=%ff:x',
      `/workflows?name=${'x'.repeat(8000)}`,
      '/workflows?status=FAILED,',
      '/workflows?limit=1&limit=2',
      '/workflows?offset=99999999999999999999',
      '/workflows?startedAfter=999999-01-01T00:00:00Z',
      '/workflows/definitions/%F0%9F%98%80/%20',
      `/workflows/${'0'.repeat(5000)}`,
      '//',
      '/workflows//steps',
    ];
    for (const path of paths) {
      const { status } = await stage.ask('GET', path);
      if (status >= 500) wrong.push(`${status} for ${path}`);
    }
    for (const headers of [
      { 'idempotency-key': 'x'.repeat(10_000) },
      { 'last-event-id': '\u00ff' },
      { traceparent: 'zz' },
    ]) {
      const { status } = await stage.ask('POST', '/workflows/run', { definition: {} }, headers);
      if (status >= 500) wrong.push(`${status} for ${JSON.stringify(headers)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('keeps what an object of JavaScript would lose or run', async () => {
    const saga = stage.saga('odd-keys');
    const text = JSON.stringify(
      saga.graph([
        saga.task('a', {}, { body: '{{payload.__proto__.x}}|{{payload.constructor}}|{{payload.toString}}' }),
      ]),
    );
    const { body } = await stage.ask(
      'POST',
      '/workflows/run',
      `{"definition":${text},"payload":{"__proto__":{"x":1}}}`,
    );
    await stage.untilEnd(body.id);
    expect(stage.downstream.calls('/odd-keys/a')[0]!.body).toBe('1||');
    expect((await stage.ask('GET', `/workflows/${body.id}`)).text).toContain('"payload":{"__proto__":{"x":1}}');
  });
});
