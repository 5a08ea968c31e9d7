import { assert, asyncProperty, integer } from 'fast-check';
import { expect, it } from 'vitest';
import { RuntimeFixture } from '../../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../../core/value/json.ts';
import { Random } from '../../../../simulator/random.ts';
import { randomDefinition } from '../../../../simulator/random-definition.ts';
import { Pulse } from '../../service.ts';
import type { CallGate } from './call-gate.ts';

/** A gate that turns calls away at random, for random times, and lets some of them in early. */
function capriciousGate(fixture: RuntimeFixture, random: Random): CallGate & { readonly blocks: number } {
  let retry: (id: string, dueAt: number) => boolean = () => true;
  let blocks = 0;
  return {
    pulse: new Pulse('gate', fixture.clock),
    get blocks() {
      return blocks;
    },
    start: (told) => {
      retry = told;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
    ended: () => undefined,
    keepOnly: () => undefined,
    enter: ({ executionId }) => {
      if (random.chance(0.5)) return { kind: 'open', done: () => undefined };
      blocks++;
      const wait = random.int(0, 1_000);
      if (random.chance(0.5)) fixture.clock.after(random.int(0, wait), () => retry(executionId, fixture.clock.now()));
      return { kind: 'blocked', cause: 'hold', until: fixture.clock.now() + wait, detail: 'held: by chance' };
    },
  };
}

interface Story {
  readonly status: string;
  readonly calls: readonly string[];
  readonly rows: readonly string[];
  readonly blocks: number;
}

/** How a run goes whose downstreams answer by what they are asked and not by when. */
async function play(definition: JsonObject, seed: number, isGated: boolean): Promise<Story> {
  const fixture = new RuntimeFixture();
  const gate = capriciousGate(fixture, new Random(seed));
  if (isGated) fixture.gate = gate;
  fixture.http.reply = (_path, { headers }) => {
    const asked = `${(headers['idempotency-key'] ?? '').split(':').slice(1).join(':')}#${headers['trama-attempt'] ?? ''}`;
    let mixed = seed;
    for (const char of asked) mixed = Math.imul(mixed ^ char.charCodeAt(0), 0x01_00_01_93);
    const draw = new Random(mixed).next();
    if (draw < 0.15) return { error: 'timeout' };
    if (draw < 0.3) return { error: 'connect', sent: false };
    return { status: draw < 0.4 ? 500 : draw < 0.5 ? 422 : 200 };
  };
  const engine = await fixture.engine();
  const id = await fixture.submit(engine, definition);
  let detail = await fixture.detail(id);
  while (detail.state.end === undefined) {
    await fixture.clock.advance(100);
    detail = await fixture.detail(id);
  }
  const calls = fixture.http.calls.map(({ request: { headers } }) =>
    [headers['idempotency-key']?.replace(id, ''), headers['trama-attempt']].join('#'),
  );
  const rows = await fixture.rows(id);
  await fixture.close();
  return { status: detail.status, calls, rows, blocks: gate.blocks };
}

it('changes nothing but the time that a run takes', async () => {
  let blocks = 0;
  await assert(
    asyncProperty(integer({ min: 0, max: 1_000_000 }), async (seed) => {
      // Branches race each other, and a deadline counts waits: without them order and end do not hang on time.
      const definition = randomDefinition(new Random(seed), { length: 4, depth: 0, maxWaitMillis: 500 });
      const { timeoutMillis: _timeout, ...timeless } = definition;
      const free = await play(timeless, seed, false);
      const gated = await play(timeless, seed, true);
      blocks += gated.blocks;
      expect({ ...gated, blocks: 0 }).toEqual({ ...free, blocks: 0 });
    }),
    { numRuns: 30 },
  );
  expect(blocks).toBeGreaterThan(40);
}, 60_000);
