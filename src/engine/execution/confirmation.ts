import type { ClaimRow } from '../../ports/store.ts';
import type { Lease } from '../worker/lease.ts';
import type { AskClaim } from './driver-contract.ts';
import type { InboxReader } from './inbox-reader.ts';
import type { Progress } from './progress/progress.ts';

/** The parts of the driver that its confirmation uses. */
export interface Confirmed {
  readonly lease: Lease;
  /** Calls the action once no checkpoint is under way, now or later. Never calls it after the end of the driver. */
  whenIdle(action: () => void): void;
  /** This claim still holds the execution, or the lease has lapsed again meanwhile. The driver retries waiting calls. */
  confirmed(): void;
  /** Another claim holds the execution. */
  displaced(): void;
  fault(error: unknown): void;
}

/**
 * Confirms with the store, after a lapse of the lease, that the execution is still as this process knows it. At most one query is under way.
 *
 * Guarantees: a lease becomes sure again only by the result of a query that was sent after the latest revival. The result must name this
 * claim, at the known seq or a later one (which only this claim can have written), and no inbox event that the driver has not read. The
 * driver gives up an execution that another claim holds.
 */
export class Confirmation {
  readonly #ask: AskClaim;
  readonly #driver: Confirmed;
  readonly #progress: Progress;
  readonly #inbox: InboxReader;
  #isAsking = false;

  constructor(ask: AskClaim, driver: Confirmed, progress: Progress, inbox: InboxReader) {
    this.#ask = ask;
    this.#driver = driver;
    this.#progress = progress;
    this.#inbox = inbox;
  }

  /** Whether a query is under way. */
  get isOpen(): boolean {
    return this.#isAsking;
  }

  /** Sends a query if the lease is in doubt and none is under way. Call it only while the driver is idle. */
  demand(): void {
    if (this.#driver.lease.standing === 'doubtful') this.ask();
  }

  /** Sends a query unless one is under way. Call it only while the driver is idle. */
  ask(): void {
    if (this.#isAsking) return;
    const { lease } = this.#driver;
    const { seq } = this.#progress;
    this.#isAsking = true;
    const { doubt } = lease;
    this.#ask(lease.id).then(
      (row) => {
        this.#driver.whenIdle(() => {
          this.#isAsking = false;
          this.#take(row, seq, doubt);
        });
      },
      (error: unknown) => {
        this.#isAsking = false;
        this.#driver.fault(error);
      },
    );
  }

  #take(row: ClaimRow | undefined, seq: number, doubt: number): void {
    const driver = this.#driver;
    if (row === undefined || row.claim !== driver.lease.claim || row.seq < seq) {
      driver.displaced();
      return;
    }
    if (row.inboxSeq > this.#progress.inboxSeq) {
      this.#inbox.markStale();
      this.#inbox.read();
      return;
    }
    driver.lease.confirm(doubt);
    driver.confirmed();
  }
}
