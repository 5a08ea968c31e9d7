import type { Store } from '../../ports/store.ts';
import type { Progress } from './progress/progress.ts';

/** The parts of the driver that its inbox reader uses. */
export interface InboxHost {
  readonly id: string;
  whenIdle(action: () => void): void;
  fault(error: unknown): void;
}

/** Reads the inbox of one execution when it may have new events. One read is under way at a time. */
export class InboxReader {
  readonly #reads: Pick<Store, 'readInbox'>;
  readonly #progress: Progress;
  readonly #host: InboxHost;
  #isStale = false;
  #isReading = false;

  constructor(reads: Pick<Store, 'readInbox'>, progress: Progress, host: InboxHost) {
    this.#reads = reads;
    this.#progress = progress;
    this.#host = host;
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether a read is under way or needed. */
  get isOpen(): boolean {
    return this.#isReading || this.#isStale;
  }

  /** Reports that the inbox may have new events: the next {@link InboxReader.read} reads it. */
  markStale(): void {
    this.#isStale = true;
  }

  /** Reads a stale inbox, unless a read is under way. */
  read(): void {
    if (!this.#isStale || this.#isReading) return;
    this.#isReading = true;
    this.#isStale = false;
    this.#reads.readInbox(this.#host.id).then(
      ({ inboxSeq, inbox }) => {
        this.#isReading = false;
        this.#host.whenIdle(() => {
          if (inboxSeq > this.#progress.inboxSeq) this.#progress.readInbox(inboxSeq, inbox);
        });
      },
      (error: unknown) => {
        this.#isReading = false;
        this.#host.fault(error);
      },
    );
  }
}
