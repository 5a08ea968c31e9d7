/**
 * Batches as statements want them: rows in the order of their ids, so that two batches never wait for each other in a
 * circle, and a batch whose values cannot be stored halved down to the row that alone pays.
 */
import type { Invalid } from '../batch.ts';
import { isDataError } from './errors.ts';

/** Sends a batch; where its values cannot be stored, halves it. Results in the order of the batch. */
export async function bisect<V, R>(
  batch: readonly V[],
  send: (batch: readonly V[]) => Promise<readonly R[]>,
): Promise<readonly (R | Invalid)[]> {
  try {
    return await send(batch);
  } catch (error) {
    if (!isDataError(error)) throw error;
    if (batch.length === 1) return [{ kind: 'invalid', message: (error as Error).message }];
  }
  const middle = batch.length >> 1;
  const first = await bisect(batch.slice(0, middle), send);
  return [...first, ...(await bisect(batch.slice(middle), send))];
}

/**
 * Sends rows that may be for the same id: the first of each id together, then the second of each, and so on; each time in
 * the order of ids. Results in the order of the batch.
 */
export async function inWaves<V, R>(
  batch: readonly V[],
  idOf: (value: V) => string,
  send: (batch: readonly V[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const waves: { readonly value: V; readonly index: number }[][] = [];
  const seen = new Map<string, number>();
  for (const [index, value] of batch.entries()) {
    const id = idOf(value);
    const wave = seen.get(id) ?? 0;
    seen.set(id, wave + 1);
    (waves[wave] ??= []).push({ value, index });
  }
  const results: R[] = [];
  for (const wave of waves) {
    wave.sort((a, b) => (idOf(a.value) < idOf(b.value) ? -1 : 1));
    const answers = await send(wave.map(({ value }) => value));
    for (const [i, { index }] of wave.entries()) results[index] = answers[i] as R;
  }
  return results;
}
