/** Batches whose rows are encoded one by one, so that a row that cannot be written as text fails alone. */

/** A row of a batch that cannot be stored. */
export interface Invalid {
  readonly kind: 'invalid';
  readonly message: string;
}

/**
 * Encodes each row and sends the encoded ones, if any; a row that cannot be encoded is {@link Invalid}. Returns the results in
 * the order of the batch.
 */
export async function sendEncoded<T, V, R>(
  batch: readonly T[],
  encodeRow: (row: T) => V,
  send: (values: readonly V[]) => Promise<readonly R[]>,
): Promise<readonly (R | Invalid)[]> {
  const values: V[] = [];
  const positions: number[] = [];
  const results = batch.map((row, i): R | Invalid | undefined => {
    try {
      values.push(encodeRow(row));
      positions.push(i);
      return undefined;
    } catch (error) {
      return { kind: 'invalid' as const, message: error instanceof Error ? error.message : String(error) };
    }
  });
  if (values.length > 0) {
    const answers = await send(values);
    for (let i = 0; i < positions.length; i++) results[positions[i] as number] = answers[i] as R;
  }
  return results as (R | Invalid)[];
}
