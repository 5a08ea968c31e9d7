import { hash as digest } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { chain } from '../../../test/runtime-fixture.ts';
import { canonicalJson, type JsonObject, parseJson, stringifyJson } from '../../core/value/json.ts';
import { silentTelemetry } from '../../ports/telemetry.ts';
import { PlanCache } from './plan-cache.ts';

describe('the cache of plans', () => {
  let reads: string[];
  let bodies: Map<string, string>;
  let plans: PlanCache;

  beforeEach(() => {
    reads = [];
    bodies = new Map();
    const store = {
      getDefinitionBody: (hash: string) => {
        reads.push(hash);
        return Promise.resolve(bodies.get(hash));
      },
    };
    plans = new PlanCache({ store, telemetry: silentTelemetry, size: 2 });
  });

  const hashOf = (text: string): string => {
    const compiled = plans.compile(parseJson(text));
    if (!compiled.ok) throw new Error(compiled.errors.join());
    return compiled.plan.hash;
  };

  it('knows a definition by its content: not by the order of keys, but by every digit', () => {
    const text = stringifyJson(chain('a'));
    const { name, version, ...rest } = chain('a');
    expect(hashOf(stringifyJson({ ...rest, version: version!, name: name! }))).toBe(hashOf(text));
    const numbered = (digits: string) => text.replace('{"id":"a"}', `{"id":${digits}}`);
    expect(hashOf(numbered('1.0'))).not.toBe(hashOf(numbered('1')));
    expect(hashOf(text)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('compiles what it has seen only once', () => {
    const first = plans.compile(chain('a'));
    expect(plans.compile(chain('a'))).toBe(first);
  });

  it('reads a pinned definition once, also for many who ask at the same time', async () => {
    bodies.set('pinned', stringifyJson(chain('a')));
    const [one, two] = await Promise.all([plans.load('pinned'), plans.load('pinned')]);
    expect(one).toBe(two);
    expect(one?.hash).toBe('pinned');
    expect(await plans.load('pinned')).toBe(one);
    expect(reads).toEqual(['pinned']);
  });

  it('has no plan of what is unknown or does not compile any more', async () => {
    bodies.set('broken', '{"name":"x"}');
    expect(await plans.load('unknown')).toBeUndefined();
    expect(await plans.load('broken')).toBeUndefined();
  });

  it('has a plan of what was stored under a greater bound of timeouts, and accepts no more of that', async () => {
    const [first, ...others] = chain('a')['nodes'] as { readonly action: { readonly request: JsonObject } }[];
    const { action } = first!;
    const slow = { ...first, action: { ...action, request: { ...action.request, timeoutMillis: 900_001 } } };
    const definition = { ...chain('a'), nodes: [slow, ...others] } as JsonObject;
    const refusal =
      'nodes[0].action.request.timeoutMillis: A call takes at most 900000 ms (http.maxTimeoutMillis), not 900001;';
    expect(plans.compile(definition)).toMatchObject({ ok: false, errors: [expect.stringContaining(refusal)] });
    const hash = digest('sha256', canonicalJson(definition));
    bodies.set(hash, stringifyJson(definition));
    expect((await plans.load(hash))?.nodes.get('a')).toMatchObject({ call: { timeoutMillis: 900_001 } });
    expect(plans.compile(definition).ok).toBe(false);
    expect(await plans.load(hash)).toBeDefined();
  });

  it('forgets what was used longest ago', async () => {
    const hashes = ['a', 'b', 'c'].map((id) => hashOf(stringifyJson(chain(id))));
    expect(hashes.map((hash) => plans.peek(hash) !== undefined)).toEqual([false, true, true]);
  });

  it('keeps fewer of what takes much memory, however many there may be', () => {
    const many = new PlanCache({
      store: { getDefinitionBody: () => Promise.resolve(undefined) },
      telemetry: silentTelemetry,
      size: 500,
    });
    const hashes: string[] = [];
    // Thousands of conditions: each takes some kilobytes once it is compiled.
    for (let i = 0; i < 4; i++) {
      const cases = Array.from({ length: 3000 }, () => ({ when: { '==': [{ var: 'payload.a' }, i] }, target: 'z' }));
      const compiled = many.compile({
        name: 'wide',
        version: '1',
        entrypoint: 'a',
        nodes: [
          { id: 'a', kind: 'switch', cases, default: 'z' },
          { id: 'z', kind: 'fail', reason: 'no' },
        ],
      });
      if (compiled.ok) hashes.push(compiled.plan.hash);
      expect(compiled.ok && compiled.plan.weight).toBeGreaterThan(20_000_000);
    }
    expect(hashes.map((hash) => many.peek(hash) !== undefined)).toEqual([false, false, true, true]);
    for (let i = 0; i < 100; i++) expect(many.compile(chain(`small-${String(i)}`)).ok).toBe(true);
    expect(hashes.map((hash) => many.peek(hash) !== undefined)).toEqual([false, false, true, true]);
  });
});
