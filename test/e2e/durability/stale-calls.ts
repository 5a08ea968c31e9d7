/**
 * Finds calls that should never have left: the downstream's record of one execution shows them, since each call names its key,
 * its attempt, and what it compensates.
 *
 * Three rules: no forward call comes after a compensation of its key; no call of a round comes after the round's end was durable;
 * no attempt of a key comes after a later attempt of the same key in the same round.
 */

/** A call as the downstream received it. */
export interface ReceivedCall {
  readonly node: string;
  readonly key: string;
  /** From which process the call came. */
  readonly life: number | string;
  readonly round: number;
  readonly attempt: number;
  /** Key of the forward call that this call compensates. */
  readonly compensates: string | undefined;
  /** When it was received, of `performance.now()`. */
  readonly at: number;
}

/** How much later than what forbids it a call may be received: it was on the wire then. In ms. */
export const onWireMillis = {
  /** Several sockets are read in any order. */
  usually: 100,
  /** The process of the call met a fault, or the machine is busy with one. */
  inFault: 1_500,
} as const;

/** Reads what a call says of itself. `life`: the process that sent it. `round` comes from a header of the test's definition, else from the key. */
export function receivedCall(
  request: { readonly path: string; readonly key: string; readonly headers: Readonly<Record<string, unknown>> },
  life: number | string,
): ReceivedCall {
  const { path, key, headers } = request;
  const compensates = headers['trama-compensates'];
  return {
    node: path.split('?')[0]?.split('/').at(-1) ?? '',
    key,
    life,
    round: Number(headers['x-round'] ?? key.split(':')[1]),
    attempt: Number(headers['trama-attempt']),
    compensates: typeof compensates === 'string' ? compensates : undefined,
    at: performance.now(),
  };
}

/**
 * The stale calls of one execution, as sentences.
 *
 * @param calls in order of receipt
 * @param ends of each round that is over, when its end was durable or its retry accepted, of `performance.now()`
 * @param allowedMillis how much later than what forbids it a call may come; one of {@link onWireMillis}
 */
export function staleCalls(
  calls: readonly ReceivedCall[],
  ends: ReadonlyMap<number, number>,
  allowedMillis: (call: ReceivedCall) => number,
): string[] {
  const problems: string[] = [];
  const undone = new Map<string, ReceivedCall>();
  const latest = new Map<string, ReceivedCall>();
  for (const call of calls) {
    const blame = (since: number, what: string): void => {
      const late = call.at - since;
      if (late <= allowedMillis(call)) return;
      const name = `${call.key} attempt ${String(call.attempt)} (${call.node}) from ${String(call.life)}`;
      problems.push(`STALE: ${name} came ${String(Math.round(late))} ms after ${what}.`);
    };
    const undoing = undone.get(call.key);
    if (call.compensates === undefined && undoing !== undefined)
      blame(undoing.at, `its compensation by ${String(undoing.life)}`);
    const end = ends.get(call.round);
    if (end !== undefined) blame(end, `the end of round ${String(call.round)}`);
    const operation = `${String(call.round)} ${call.key}`;
    const later = latest.get(operation);
    if (later !== undefined && later.attempt > call.attempt)
      blame(later.at, `attempt ${String(later.attempt)} by ${String(later.life)}`);
    else latest.set(operation, call);
    if (call.compensates !== undefined && !undone.has(call.compensates)) undone.set(call.compensates, call);
  }
  return problems;
}
