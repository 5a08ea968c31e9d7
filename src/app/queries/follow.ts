import type { StepRow } from '../../core/history.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { ExecutionProgress, Page } from '../../ports/records.ts';
import { traceIdOf } from '../../engine/trace-context.ts';
import { turns } from '../../engine/turns.ts';
import { isListed, maskedStep } from './history.ts';
import { instant } from '../instants.ts';
import type { AppContext } from '../context.ts';

/** Poll interval for an execution that another process may run. */
const pollMillis = 1000;
/** Step rows per page. */
const stepPage = 100;
/** Bytes per page. A thousand stalled readers hold a page each, which must fit into a small heap together. */
const stepPageBytes = 64 * 1024;

/** A position in a stream: the last step row seen, and the seq of the last status seen. */
export interface StreamPosition {
  readonly ord: number;
  readonly seq: number;
}

/** An event of a stream, and the position to resume after it. */
export interface StreamEvent {
  readonly kind: 'step' | 'status';
  readonly at: StreamPosition;
  readonly data: JsonObject;
}

/**
 * The current end of an execution's history, whether the execution is over, and its trace; undefined if it does not
 * exist.
 */
export async function endOfHistory(
  app: AppContext,
  id: string,
): Promise<{ readonly at: StreamPosition; readonly over: boolean; readonly traceId: string } | undefined> {
  const detail = await app.store.getProgress(id);
  if (detail === undefined) return undefined;
  return {
    at: { ord: detail.state.ord, seq: detail.seq },
    over: detail.state.end !== undefined,
    traceId: traceIdOf(id, detail.traceparent),
  };
}

/** Resolves once the execution is over, the time is up, or the signal aborts. False if the execution does not exist. */
export async function waitForEnd(app: AppContext, id: string, millis: number, signal: AbortSignal): Promise<boolean> {
  const until = app.clock.monotonic() + millis;
  const wakeups = new Wakeups(app, id, signal);
  try {
    for (;;) {
      const detail = await app.store.getProgress(id);
      if (detail === undefined) return false;
      const left = until - app.clock.monotonic();
      if (detail.state.end !== undefined || left <= 0 || signal.aborted) return true;
      await wakeups.next(Math.min(left, pollMillis));
    }
  } finally {
    wakeups.close();
  }
}

/**
 * Streams the steps and statuses of an execution after a position. Empty if the execution does not exist.
 *
 * Guarantees that no step is missing or repeated, whichever process runs the execution. A checkpoint of this process
 * wakes the stream, and so does a slow poll, since another process may run the execution. The end of the execution or
 * the signal stops it. At most one page of rows is in memory, so a slow reader delays only its own reads.
 */
export async function* follow(
  app: AppContext,
  id: string,
  from: StreamPosition,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, undefined> {
  let { ord, seq } = from;
  let shown = '';
  const wakeups = new Wakeups(app, id, signal);
  try {
    while (!signal.aborted) {
      // Reads the status first: the steps read after it are at least as new, so none is missing before a terminal
      // status.
      const detail = await app.store.getProgress(id);
      if (detail === undefined) return;
      let more = true;
      while (more && !signal.aborted) {
        const page: Page<StepRow> = await stepsAfter(app, id, ord);
        for (const row of page.items) {
          await turns.next();
          ord = row.ord;
          if (isListed(row)) yield { kind: 'step', at: { ord, seq }, data: maskedStep(app, id, row) };
        }
        more = page.cursor !== undefined;
      }
      // Aborted: steps from before this status have not been sent yet, and a resumed stream must send them first.
      if (more) return;
      const status = `${detail.status} ${String(detail.round)}`;
      const over = detail.state.end !== undefined;
      if (detail.seq > seq && (status !== shown || over)) {
        ({ seq } = detail);
        yield { kind: 'status', at: { ord, seq }, data: statusEvent(app, detail) };
      }
      shown = status;
      if (over) return;
      await wakeups.next(pollMillis);
    }
  } finally {
    wakeups.close();
  }
}

function stepsAfter(app: AppContext, id: string, afterOrd: number): Promise<Page<StepRow>> {
  return app.store.listSteps(id, { limit: stepPage, bytes: stepPageBytes, order: 'asc', afterOrd });
}

function statusEvent(app: AppContext, detail: ExecutionProgress): JsonObject {
  return app.masker.json({
    id: detail.id,
    status: detail.status,
    round: detail.round,
    updatedAt: instant(detail.updatedAt),
    ...(detail.completedAt !== undefined && { completedAt: instant(detail.completedAt) }),
    ...(detail.reason !== undefined && { reason: detail.reason }),
    ...(detail.failureDescription !== undefined && { failureDescription: detail.failureDescription }),
    ...(detail.failedNodeId !== undefined && { failedNodeId: detail.failedNodeId }),
  }) as JsonObject;
}

/** Waits for checkpoints of one execution; remembers a checkpoint that arrives between two waits. */
class Wakeups {
  readonly #app: AppContext;
  readonly #signal: AbortSignal;
  readonly #unwatch: () => void;
  #changed = false;
  #resume: (() => void) | undefined;

  constructor(app: AppContext, id: string, signal: AbortSignal) {
    this.#app = app;
    this.#signal = signal;
    this.#unwatch = app.engine.watch(id, () => {
      this.#changed = true;
      this.#resume?.();
    });
    signal.addEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#resume?.();

  /** Waits for a checkpoint, at most `millis`. */
  async next(millis: number): Promise<void> {
    if (!this.#changed) await this.#sleep(millis);
    this.#changed = false;
  }

  #sleep(millis: number): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#app.clock.after(millis, () => this.#resume?.());
      this.#resume = () => {
        this.#resume = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  close(): void {
    this.#unwatch();
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#resume?.();
  }
}
