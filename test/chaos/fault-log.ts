import { onWireMillis, type ReceivedCall } from '../e2e/durability/stale-calls.ts';
import type { Pod } from './pod.ts';

/** How long after its answer a call may still not be durable on a busy machine. */
const unwrittenMillis = 2_000;

/** A pod that could not do its part for a while; of `performance.now()`. */
interface Fault {
  readonly podId: string;
  readonly from: number;
  to: number;
}

/** The faults that a test inflicts on pods, and what they excuse: calls that were under way then may come again, and may come late. */
export class FaultLog {
  readonly #faults: Fault[] = [];
  /** How long the downstream takes over a call at most, in ms. */
  readonly slowestCallMillis: number;

  constructor(slowestCallMillis: number) {
    this.slowestCallMillis = slowestCallMillis;
  }

  /** Notes that a pod met a fault: at once, or for as long as `during` takes. */
  async fault(pod: Pod, during: () => Promise<unknown>): Promise<void> {
    const fault: Fault = { podId: pod.podId, from: performance.now(), to: Infinity };
    this.#faults.push(fault);
    await during();
    fault.to = performance.now();
  }

  /** Whether this call was under way in a fault of its pod, so that it may be made again. */
  mayRepeat({ life, at }: ReceivedCall): boolean {
    return this.#faults.some(
      ({ podId, from, to }) => podId === life && at <= to && at >= from - this.slowestCallMillis - unwrittenMillis,
    );
  }

  /** How late a call may come: later than usual only where its pod is in a fault, or has just been. */
  allowedMillis({ life, at }: ReceivedCall): number {
    const isInFault = this.#faults.some(
      ({ podId, from, to }) => podId === life && from <= at && at <= to + unwrittenMillis,
    );
    return isInFault ? onWireMillis.inFault : onWireMillis.usually;
  }
}
