/** The question to the store whether an execution still stands as this process knows it; asked after a lapse of its lease. */
import type { ClaimRow } from '../../ports/store.ts';
import type { Hold } from '../worker/lease.ts';

/** Asks the store for claims, many executions at once; see the engine. Resolves with undefined where there is none. */
export type AskClaim = (id: string) => Promise<ClaimRow | undefined>;

/** The driver, as its confirmation sees it. */
export interface Confirmed {
  readonly hold: Hold;
  /** Of the durable state. */
  readonly seq: number;
  /** Up to which the inbox has been read. */
  readonly inboxSeq: number;
  /** Does it as soon as no checkpoint is under way: now or later; never once the driver has ended. */
  whenIdle(action: () => void): void;
  /** The execution stands, or the lease has lapsed again meanwhile: calls that waited are tried. */
  confirmed(): void;
  /** Events that the driver has not read stand in the inbox. */
  missesEvents(): void;
  /** Another claim holds the execution. */
  displaced(): void;
  fault(error: unknown): void;
}

/**
 * At most one question at a time. Guarantees: a hold becomes sure again only by an answer that was asked for after its latest
 * revival, that names this very claim at this seq or a later one (which only this claim can have written), and that counts no
 * event which the driver has not read. What another claim holds is given up.
 */
export class Confirmation {
  readonly #ask: AskClaim;
  readonly #driver: Confirmed;
  #isAsking = false;

  constructor(ask: AskClaim, driver: Confirmed) {
    this.#ask = ask;
    this.#driver = driver;
  }

  /** Whether an answer is waited for. */
  get isOpen(): boolean {
    return this.#isAsking;
  }

  /** Asks, where the hold is in doubt and nothing has been asked. Only while the driver is idle. */
  demand(): void {
    if (this.#driver.hold.standing === 'doubtful') this.ask();
  }

  /** Asks, unless an answer is waited for. Only while the driver is idle. */
  ask(): void {
    const { hold, seq } = this.#driver;
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { doubt } = hold;
    this.#ask(hold.id).then(
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
    if (row === undefined || row.claim !== driver.hold.claim || row.seq < seq) {
      driver.displaced();
      return;
    }
    if (row.inboxSeq > driver.inboxSeq) {
      driver.missesEvents();
      return;
    }
    driver.hold.confirm(doubt);
    driver.confirmed();
  }
}
