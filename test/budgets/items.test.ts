/** A loop over a hundred thousand items takes as much for its last items as for its first ones, and no more memory. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CountedProcess } from './counted-process.ts';
import { GatedDownstream } from './gated-downstream.ts';

const count = 100_000;
const together = 16;
/** Items at either end that are compared. */
const tenth = count / 10;
/** Items after which V8 has compiled what runs often. */
const warmUp = count / 20;

let downstream: GatedDownstream;
let server: CountedProcess;

beforeAll(async () => {
  downstream = await GatedDownstream.start();
  server = await CountedProcess.start({ connections: 1 });
});
afterAll(async () => {
  await server.close();
  downstream.close();
});

interface Figures {
  readonly allocated: number;
  readonly stringified: number;
  readonly parsed: number;
  readonly storeAllocated: number;
  readonly rows: number;
  readonly liveHeap: number;
}

/** What the next `items` items take. */
async function countItems(items: number, left: number): Promise<Figures> {
  await server.begin('work');
  await downstream.answer(items, Math.min(together, left));
  const { allocated, stringified, parsed, store } = await server.end();
  if (store === null) throw new Error('The thread of the embedded store was not counted.');
  return {
    allocated,
    stringified: stringified.characters,
    parsed: parsed.characters,
    storeAllocated: store.allocated,
    rows: store.rows,
    liveHeap: await server.liveHeap(),
  };
}

it('takes no more for the last tenth than for the first', { timeout: 900_000 }, async () => {
  const request = { url: `${downstream.url}/charge`, verb: 'POST', body: { item: '{{item}}' } };
  const definition = {
    name: 'many-items',
    version: '1',
    entrypoint: 'each',
    nodes: [
      {
        kind: 'forEach',
        id: 'each',
        items: '{{payload.items}}',
        entry: 'charge',
        maxConcurrency: together,
        collect: false,
      },
      { kind: 'task', id: 'charge', action: { mode: 'sync', request }, compensation: request },
    ],
  };
  const payload = { items: Array.from({ length: count }, (_, item) => item) };
  await server.ask('POST', '/workflows/run', { definition, payload });
  await downstream.answer(warmUp, together);
  const first = await countItems(tenth, together);
  await downstream.answer(count - warmUp - 2 * tenth - together, together);
  const last = await countItems(tenth, together);
  for (const figure of Object.keys(first) as (keyof Figures)[]) {
    expect([figure, first[figure] > 0]).toEqual([figure, true]);
    expect([figure, last[figure] / first[figure] <= 1.2 ? 'at most 1.2' : last[figure] / first[figure]]).toEqual([
      figure,
      'at most 1.2',
    ]);
  }
  await downstream.answer(together, 0);
});
