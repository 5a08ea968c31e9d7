import type { Invalid } from '../batch.ts';
import { isDataError } from './connection/errors.ts';

/** Sends a batch and halves it while its values cannot be stored, until only the faulty rows fail. Results in batch order. */
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
 * Sends rows whose ids may repeat in waves: the first row of each id, then the second of each, and so on. Each wave is sorted
 * by id, so that two batches cannot deadlock. Returns the results in the order of the batch.
 */
export async function inWaves<V, R>(
  batch: readonly V[],
  idOf: (value: V) => string,
  send: (batch: readonly V[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const ids = batch.map((value) => idOf(value));
  const waves = new Set(ids).size === ids.length ? [ordered(ids)] : inTurn(ids);
  const results: R[] = [];
  for (const wave of waves) {
    const answers = await send(wave.map((index) => batch[index] as V));
    for (let i = 0; i < wave.length; i++) results[wave[i] as number] = answers[i] as R;
  }
  return results;
}

/** The indexes in the order of their ids. */
function ordered(ids: readonly string[], indexes: number[] = Array.from(ids.keys())): number[] {
  return indexes.sort((a, b) => ((ids[a] as string) < (ids[b] as string) ? -1 : 1));
}

/** The indexes of the first of each id, then of the second of each, and so on. */
function inTurn(ids: readonly string[]): number[][] {
  const waves: number[][] = [];
  const seen = new Map<string, number>();
  for (const [index, id] of ids.entries()) {
    const wave = seen.get(id) ?? 0;
    seen.set(id, wave + 1);
    (waves[wave] ??= []).push(index);
  }
  return waves.map((wave) => ordered(ids, wave));
}
