/** Stores that hold what makes lists long: an execution with hundreds of large answers, and large definitions. */
import { Masker } from '../../src/security/secrets/masking.ts';
import type { Store } from '../../src/ports/store.ts';
import { showStep } from '../../src/app/queries/shown-body.ts';
import {
  callRow,
  checkpointOf,
  endState,
  idOf,
  newExecution,
  start,
  stepRow,
  summaryOf,
} from '../contract/fixtures/executions.ts';

/** What the server itself would show. */
export const show = showStep({ masker: new Masker({ values: () => [] }), maxHistoryBody: 64 * 1024 });

/** Rows that are written at once. */
const batch = 10;

const definition = JSON.stringify({
  name: 'order',
  version: '1',
  steps: [{ name: 'a', up: { url: 'http://127.0.0.1:9/', verb: 'GET' } }],
});

/** The id of the execution with the long history. */
export const longId: string = idOf(1);

/** Writes the execution: so many answers of so many characters, every second one an object, each with its call. */
export async function writeLongHistory(store: Store, answers: number, size: number): Promise<void> {
  await store.submit([newExecution(1, { definition, definitionHash: 'long' })]);
  await store.takeOver([{ id: longId, claim: 'c' }], start);
  const text = 'x'.repeat(size);
  const cut = text.slice(0, 64 * 1024);
  let seq = 1;
  for (let i = 0; i < answers; i += batch) {
    const visits = Array.from({ length: Math.min(batch, answers - i) }, (_, k) => i + k + 1);
    const steps = visits.map((visit) =>
      stepRow(2 * visit, {
        visit,
        output: { response: { status: 200, headers: {}, body: visit % 2 === 0 ? text : { text, visit } } },
      }),
    );
    const calls = visits.map((visit) =>
      callRow(2 * visit - 1, {
        visit,
        exchange: {
          url: 'http://127.0.0.1:9/',
          verb: 'POST',
          requestHeaders: {},
          requestBody: cut,
          requestBodyTruncated: true,
          responseBody: cut,
          responseBodyTruncated: true,
          latencyMillis: 1,
        },
      }),
    );
    await store.checkpoint([checkpointOf(1, 'c', seq++, { steps, calls })]);
  }
  // Lately, or the retention removes it.
  const over = {
    state: endState('SUCCEEDED', { ord: 2 * answers }),
    summary: summaryOf('SUCCEEDED', { completedAt: Date.now() }),
    dueAt: null,
  };
  await store.checkpoint([checkpointOf(1, 'c', seq, over)]);
}

/** Writes definitions of so many characters. */
export async function writeDefinitions(store: Store, count: number, size: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await store.putDefinition({
      id: idOf(1000 + n),
      name: 'large',
      version: String(n),
      hash: `large-${String(n)}`,
      definition: JSON.stringify({ name: 'large', version: String(n), description: 'x'.repeat(size) }),
      createdAt: start + n,
      updatedAt: start + n,
    });
  }
}
