import type { Run } from '../../core/apply.ts';
import { lackOfCallback, lackOfMove, trimmedOutputs } from '../../core/context/wanted.ts';
import { addressee } from '../../core/transition/callback.ts';
import type { InboxRow } from '../../ports/store.ts';
import type { DriverParts, ClaimedExecution } from './driver-contract.ts';
import { bytesPerChar, executionBytes } from '../worker/memory-ledger.ts';
import { readBack, type Restore } from './restored-outputs.ts';

/** Bytes of new answers after which outputs are examined again. A check at each checkpoint would cost more than it saves. */
const trimFromBytes = 65_536;

/** The parts of the driver that its outputs use. */
export interface OutputsHost {
  readonly run: Run;
  /** Adds outputs that were read back, once no checkpoint is under way, and continues. */
  restored(restore: Restore): void;
  fault(error: unknown): void;
}

/**
 * Tracks the memory of one execution's outputs, drops large or unneeded outputs from memory, and reads them back from
 * the store on demand. One per driver.
 */
export class HeldOutputs {
  readonly #parts: Pick<DriverParts, 'memory' | 'reads' | 'maxOutputBytes'>;
  readonly #host: OutputsHost;
  readonly #payloadBytes: number;
  #bytes: number;
  /** Bytes of answers since the outputs were last examined. */
  #grown = 0;
  #isReading = false;

  constructor(
    parts: Pick<DriverParts, 'memory' | 'reads' | 'maxOutputBytes'>,
    host: OutputsHost,
    { run, payloadChars }: Pick<ClaimedExecution, 'run' | 'payloadChars'>,
  ) {
    this.#parts = parts;
    this.#host = host;
    this.#payloadBytes = executionBytes + bytesPerChar * payloadChars;
    this.#bytes = this.#payloadBytes + run.outputs.size;
    parts.memory.add(this.#bytes);
  }

  /** Whether outputs are being read back. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Counts bytes of a new answer. */
  grew(bytes: number): void {
    this.#grown += bytes;
    this.#add(bytes);
  }

  /**
   * Called when `run` is durable: drops outputs that nothing can read any more, and those beyond the limit. In a process
   * without room for new executions the limit is 0.
   */
  trimmed(run: Run): Run {
    if (this.#grown <= trimFromBytes) return run;
    const { memory, maxOutputBytes } = this.#parts;
    this.#grown = 0;
    const outputs = trimmedOutputs(run, memory.bytes >= memory.maxBytes ? 0 : maxOutputBytes);
    this.#add(this.#payloadBytes + outputs.size - this.#bytes);
    return { ...run, outputs };
  }

  /** Reads back the outputs that a token needs to advance. */
  seek(): void {
    const { run } = this.#host;
    if (this.#isReading || run.state.end !== undefined) return;
    const { tokens } = run.state;
    // The rows of loops are read one by one as their items begin.
    if (run.outputs.isWhole && !tokens.some(({ stage }) => stage.kind === 'looping')) return;
    this.#read(tokens.flatMap((token) => [...lackOfMove(run, token)]));
  }

  /** Whether the outputs needed to judge a callback are in memory. If not, it reads them back. */
  areAtHand({ event }: InboxRow): boolean {
    const { run } = this.#host;
    if (run.outputs.isWhole || event.type !== 'callback') return true;
    const to = addressee(run.state, event);
    const lack = to.kind === 'none' ? [] : lackOfCallback(run, to.token);
    if (!this.#isReading) this.#read(lack);
    return lack.length === 0;
  }

  /** Removes the outputs from the memory ledger at the end of the driver. A second call does nothing. */
  end(): void {
    this.#add(-this.#bytes);
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    this.#parts.memory.add(bytes);
  }

  #read(nodeIds: readonly string[]): void {
    if (nodeIds.length === 0) return;
    this.#isReading = true;
    readBack(this.#parts, this.#host.run, [...new Set(nodeIds)]).then(
      (restore) => {
        this.#host.restored((outputs) => {
          this.#isReading = false;
          const restored = restore(outputs);
          const bytes = restored.size - outputs.size;
          this.#grown += bytes;
          this.#add(bytes);
          return restored;
        });
      },
      (error: unknown) => {
        this.#isReading = false;
        this.#host.fault(error);
      },
    );
  }
}
