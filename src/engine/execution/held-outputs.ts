/** The outputs of one execution in hand: how much memory they take, which of them are left in the store, and reading those back. */
import type { Run } from '../../core/apply.ts';
import { lackOfCallback, lackOfMove, trimmedOutputs } from '../../core/context/wanted.ts';
import { addressee } from '../../core/transition/callback.ts';
import type { InboxRow } from '../../ports/store.ts';
import type { DriverParts, ClaimedExecution } from './driver-contract.ts';
import { bytesPerChar, executionBytes } from '../worker/memory-ledger.ts';
import { readBack, type Restore } from './restored-outputs.ts';

/** As much must have been answered since outputs were looked at last: what is small is not worth a look at each checkpoint. */
const trimFromBytes = 65_536;

/** The driver, as its outputs see it. */
export interface OutputsHost {
  readonly run: Run;
  /** Takes in what was read back, as soon as no checkpoint is under way, and goes on. */
  restored(restore: Restore): void;
  fault(error: unknown): void;
}

/** See the file header. One per driver. */
export class HeldOutputs {
  readonly #parts: Pick<DriverParts, 'memory' | 'reads' | 'maxOutputBytes'>;
  readonly #host: OutputsHost;
  readonly #payloadBytes: number;
  #bytes: number;
  /** Answered since the outputs were looked at last. */
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

  /** As many bytes came in. */
  grew(bytes: number): void {
    this.#grown += bytes;
    this.#add(bytes);
  }

  /**
   * The execution is durable as `run`: leaves in the store what nothing can ask for any more, and what is too much. Where the
   * process has no room for new executions, that is all of it.
   */
  trimmed(run: Run): Run {
    if (this.#grown <= trimFromBytes) return run;
    const { memory, maxOutputBytes } = this.#parts;
    this.#grown = 0;
    const outputs = trimmedOutputs(run, memory.bytes >= memory.maxBytes ? 0 : maxOutputBytes);
    this.#add(this.#payloadBytes + outputs.size - this.#bytes);
    return { ...run, outputs };
  }

  /** Reads back what a token needs to move on by itself. */
  seek(): void {
    const { run } = this.#host;
    if (run.outputs.isWhole || this.#isReading || run.state.end !== undefined) return;
    this.#read(run.state.tokens.flatMap((token) => [...lackOfMove(run, token)]));
  }

  /** Whether a callback can be judged now. Where it cannot, what its conditions ask for is read back. */
  areAtHand({ event }: InboxRow): boolean {
    const { run } = this.#host;
    if (run.outputs.isWhole || event.type !== 'callback') return true;
    const to = addressee(run.state, event);
    const lack = to.kind === 'nobody' ? [] : lackOfCallback(run, to.token);
    if (!this.#isReading) this.#read(lack);
    return lack.length === 0;
  }

  /** The driver is done with the execution. A second call does nothing. */
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
