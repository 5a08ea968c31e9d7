import type { ClaimRow } from '../../ports/store.ts';
import type { Lease } from '../worker/lease.ts';
import type { AskClaim } from './driver-contract.ts';
import type { InboxReader } from './inbox-reader.ts';
import type { Progress } from './progress/progress.ts';

/** The driver, as its confirmation sees it. */
export interface Confirmed {
  readonly lease: Lease;
  /** Calls the action as soon as no checkpoint is under way: now or later; never once the driver has ended. */
  whenIdle(action: () => void): void;
  /** This claim still holds the execution, or the lease has lapsed again meanwhile: calls that waited are tried. */
  confirmed(): void;
  /** Another claim holds the execution. */
  displaced(): void;
  fault(error: unknown): void;
}

/**
 * Asks the store whether an execution is still as this process knows it, after a lapse of its lease. At most one question at a time.
 *
 * Guarantees: a lease becomes sure again only by an answer that was asked for after its latest revival, that names this very claim at this
 * seq or a later one (which only this claim can have written), and that counts no event which the driver has not read. An execution that
 * another claim holds is given up.
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

  /** Whether an answer is awaited. */
  get isOpen(): boolean {
    return this.#isAsking;
  }

  /** Asks if the lease is in doubt and no answer is awaited. Only while the driver is idle. */
  demand(): void {
    if (this.#driver.lease.standing === 'doubtful') this.ask();
  }

  /** Asks, unless an answer is awaited. Only while the driver is idle. */
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
