import type { Run, Transition } from '../../core/apply.ts';
import { Outputs } from '../../core/context/outputs.ts';
import type { Told } from '../../core/run.ts';
import type { OutputRef } from '../../core/state.ts';
import type { Json } from '../../core/value/json.ts';
import { slotOf } from '../../core/value/slot.ts';
import type { StoredItem } from '../../ports/queue.ts';
import type { Store, Tell } from '../../ports/store.ts';

/** The inbox row of an event for another execution. */
function rowOf({ executionId, event }: Told, result: Json | undefined, at: number): Tell {
  const told = event.type === 'childEnded' && result !== undefined ? { ...event, result } : event;
  return { executionId, row: { id: event.inboxId, at, event: told } };
}

function resultIn(outputs: Outputs, ref: OutputRef): Json | undefined {
  return outputs.at(ref)?.response?.body;
}

/** The rows of a transition whose outputs are all in memory, such as the first one. */
export function tellRows({ tells, state, outputs }: Pick<Transition, 'tells' | 'state' | 'outputs'>): readonly Tell[] {
  return tells.map((told) => {
    const ref = 'result' in told ? told.result : undefined;
    return rowOf(told, ref && resultIn(outputs, ref), state.now);
  });
}

/** What {@link TellRows} needs. */
export interface TellRowsParts {
  readonly reads: Pick<Store, 'readOutputs'>;
  /** Announces that an execution has become due. Never throws. */
  readonly ring: (item: StoredItem) => void;
}

const none: readonly never[] = [];

/** The parts of the driver that {@link TellRows} uses. */
export interface TellRowsHost {
  readonly run: Run;
  whenIdle(action: () => void): void;
  fault(error: unknown): void;
}

/**
 * Makes the rows of what one execution tells others. The end of a child has its result, which is read from the store if it was dropped from
 * memory; the checkpoint waits for it.
 */
export class TellRows {
  readonly #parts: TellRowsParts;
  readonly #host: TellRowsHost;
  /** The result that was read, by its ord; undefined while nothing was read. */
  #read: { readonly ord: number; readonly result: Json | undefined } | undefined;
  #isReading = false;

  constructor(parts: TellRowsParts, host: TellRowsHost) {
    this.#parts = parts;
    this.#host = host;
  }

  /**
   * The rows of a batch, which has the step rows that the same checkpoint writes. Undefined if a result has to be read first: the driver is
   * called when it is there.
   */
  rows({ tells, steps }: Pick<Transition, 'tells' | 'steps'>): readonly Tell[] | undefined {
    if (tells.length === 0) return none;
    const rows: Tell[] = [];
    const { state, outputs } = this.#host.run;
    for (const told of tells) {
      const ref = 'result' in told ? told.result : undefined;
      let result: Json | undefined;
      if (ref !== undefined) {
        const step = steps.find(({ ord }) => ord === ref.ord);
        if (step !== undefined) result = step.output?.response?.body;
        else if (!outputs.isLeftOut(ref.nodeId)) result = resultIn(outputs, ref);
        else if (this.#read?.ord === ref.ord) result = this.#read.result;
        else {
          this.#begin(ref);
          return undefined;
        }
      }
      rows.push(rowOf(told, result, state.now));
    }
    return rows;
  }

  /** Rings the executions that were told something: a hint, since they are due by their rows. */
  ring(tells: readonly Told[]): void {
    for (const { executionId: id } of tells) {
      this.#parts.ring({ id, slot: slotOf(id), dueAt: this.#host.run.state.now });
    }
  }

  #begin(ref: OutputRef): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const { header, state } = this.#host.run;
    this.#parts.reads.readOutputs(header.id, state.round, [{ nodeId: ref.nodeId, at: ref.ord }]).then(
      (rows) => {
        this.#isReading = false;
        this.#read = { ord: ref.ord, result: resultIn(Outputs.empty.with(rows), ref) };
        this.#host.whenIdle(() => undefined);
      },
      (error: unknown) => {
        this.#isReading = false;
        this.#host.fault(error);
      },
    );
  }
}
