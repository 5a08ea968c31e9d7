import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StoreUnavailable, type StoreFault } from '../../ports/store.ts';
import type { Answer, FromWorker, OperationName, Operations, ToWorker, WorkerData } from './protocol.ts';

/** Requests under way at most: more mean that the disk has stopped answering. */
const maxPending = 20_000;

const minRestartMillis = 100;
const maxRestartMillis = 5000;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

type Phase = 'new' | 'opening' | 'open' | 'broken' | 'closing' | 'closed';

/**
 * Bound of the thread's young generation in MiB; V8 makes each of its two halves a third of this. The rows of a batch are
 * gone once they are written, so that a small one has little to copy. The old generation has the process' own bound:
 * pages and exports may be as large as the limits of the store allow.
 */
export const maxYoungGenerationMib = 6;

/** Starts the thread. It lies beside this file, as TypeScript in the sources and as JavaScript in the package. */
export function startStoreWorker(data: WorkerData): Worker {
  const url = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);
  const resourceLimits = { maxYoungGenerationSizeMb: maxYoungGenerationMib };
  return new Worker(url, { workerData: data, execArgv: [], name: 'trama-store', resourceLimits });
}

/**
 * The store's thread, as seen from outside: started, asked, restarted when it breaks, closed.
 *
 * States: `new` → `opening` → `open` → `closing` → `closed`; from `open` to `broken` when the thread ends by itself, and
 * back by a restart after a wait that doubles up to {@link maxRestartMillis}. While not `open`, every request is refused at
 * once; requests under way when the thread breaks are refused too (whether they were written is unknown; all may be sent
 * again).
 */
export class SqliteThread {
  readonly #data: WorkerData;
  readonly #onFault: (fault: StoreFault) => void;
  readonly #startWorker: (data: WorkerData) => Worker;
  readonly #pending = new Map<number, Pending>();
  #phase: Phase = 'new';
  #worker: Worker | undefined;
  #requests = 0;
  #restartMillis = minRestartMillis;
  #restart: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    data: WorkerData,
    onFault: (fault: StoreFault) => void,
    startWorker: (data: WorkerData) => Worker = startStoreWorker,
  ) {
    this.#data = data;
    this.#onFault = onFault;
    this.#startWorker = startWorker;
  }

  /** Starts the thread and opens the database. Throws an Error with a sentence when it cannot; then it may be called again. */
  async open(): Promise<void> {
    if (this.#phase !== 'new') throw new Error('The store was opened before.');
    try {
      await this.#start();
    } catch (error) {
      this.#phase = 'new';
      throw error;
    }
  }

  /** Performs an operation. Throws {@link StoreUnavailable}, or an Error when the request itself cannot be stored. */
  call<K extends OperationName>(operation: K, ...args: Parameters<Operations[K]>): Promise<ReturnType<Operations[K]>> {
    const worker = this.#worker;
    if (this.#phase !== 'open' || worker === undefined) return Promise.reject(this.#refusal());
    if (this.#pending.size >= maxPending) {
      return Promise.reject(new StoreUnavailable('unreachable', 'The store is too busy to take more requests.'));
    }
    return new Promise((resolve, reject) => {
      const number = ++this.#requests;
      this.#pending.set(number, { resolve: resolve as Pending['resolve'], reject });
      worker.postMessage([number, operation, ...args] satisfies ToWorker);
    });
  }

  /** Lets requests under way finish, closes the database and ends the thread. A second call waits for the first. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#restart);
    const worker = this.#worker;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'closing';
    if (worker !== undefined) {
      const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      if (wasOpen) worker.postMessage('close' satisfies ToWorker);
      else await worker.terminate();
      await ended;
    }
    this.#phase = 'closed';
    this.#rejectPending(this.#refusal());
  }

  #refusal(): StoreUnavailable {
    if (this.#phase === 'closing' || this.#phase === 'closed') {
      return new StoreUnavailable('unreachable', 'The store is closed.');
    }
    if (this.#phase === 'new') return new StoreUnavailable('unreachable', 'The store is not open yet.');
    return new StoreUnavailable('unreachable', 'The store has failed and is being opened again.');
  }

  #start(): Promise<void> {
    this.#phase = 'opening';
    const worker = this.#startWorker(this.#data);
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      let failure: Error | undefined;
      worker.on('message', (message: FromWorker) => {
        if (Array.isArray(message)) {
          for (const answer of message as readonly Answer[]) this.#settle(answer);
        } else if (message === 'open') {
          this.#phase = 'open';
          this.#restartMillis = minRestartMillis;
          resolve();
        } else if (typeof message === 'object') {
          failure = new Error((message as { refused: string }).refused);
        }
      });
      worker.on('error', (error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error));
      });
      worker.on('exit', (code) => {
        this.#worker = undefined;
        failure ??= new Error(`The store's thread ended (exit code ${code}).`);
        reject(failure);
        if (this.#phase === 'open') this.#break(failure);
      });
    });
  }

  #settle(answer: Answer): void {
    const [number] = answer;
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#pending.delete(number);
    if (answer[1]) {
      pending.resolve(answer[2]);
      return;
    }
    const [, , trouble, message] = answer;
    if (trouble === 'rejected') pending.reject(new Error(`The store cannot keep this: ${message}`));
    else pending.reject(new StoreUnavailable(trouble, `The store cannot answer: ${message}.`));
  }

  #break(failure: Error): void {
    this.#phase = 'broken';
    this.#rejectPending(this.#refusal());
    this.#onFault({ message: "The store's thread ended; it is started again.", error: failure });
    this.#restartLater();
  }

  #restartLater(): void {
    this.#restart = setTimeout(() => {
      this.#start().catch((error: unknown) => {
        if (this.#phase !== 'opening') return;
        this.#phase = 'broken';
        this.#onFault({ message: 'The store could not be opened again.', error: error as Error });
        this.#restartLater();
      });
    }, this.#restartMillis);
    this.#restartMillis = Math.min(this.#restartMillis * 2, maxRestartMillis);
  }

  #rejectPending(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
