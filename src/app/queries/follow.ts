import type { StepRow } from '../../core/history.ts';
import type { State } from '../../core/state.ts';
import { summarize } from '../../core/summary.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { ExecutionProgress, Page } from '../../ports/records.ts';
import { traceIdOf } from '../../engine/trace-context.ts';
import { turns } from '../../engine/turns.ts';
import { isListed, maskedStep } from './history.ts';
import { instant } from '../instants.ts';
import type { AppContext } from '../context.ts';
import { type PassingEvent, PassingEvents } from '../view/passing-events.ts';
import { beginning, type EventPosition, positionText } from '../view/position.ts';
import { silenceMillis, Wakeups } from './wakeups.ts';

/** Step rows per page. */
const stepPage = 100;
/** Bytes per page. A thousand stalled readers hold a page each, which must fit into a small heap together. */
const stepPageBytes = 64 * 1024;

/** An event of a stream. */
export interface StreamEvent {
  readonly kind: 'step' | 'status' | PassingEvent['kind'];
  /** Where a reader resumes after it. */
  readonly id: string;
  readonly data: JsonObject;
}

/**
 * The stream of the steps and statuses of an execution after a position, and of its attempts and places while it is open. Open it, read its
 * events, close it.
 *
 * Guarantees that no step is missing or repeated, whichever process runs the execution. A checkpoint of this process
 * wakes the stream, and so does a silence of {@link silenceMillis}, since another process may run the execution. The
 * end of the execution or the signal stops it. At most one page of rows is in memory, so a slow reader delays only its
 * own reads.
 *
 * The news of a checkpoint tells whether there are rows and another status to read. A checkpoint with rows costs one
 * read, another status a second one; one with neither costs none.
 */
export class EventStream {
  readonly #app: AppContext;
  readonly #id: string;
  readonly #signal: AbortSignal;
  readonly #wakeups: Wakeups;
  /** Undefined until the stream is opened, for one from now on. */
  #from: EventPosition | undefined;
  /** Events that are not kept since the position. */
  #passed = 0;
  #passing: PassingEvents | undefined;
  #first: ExecutionProgress | undefined;

  /** `from`: after this position; `now`: after what has happened when the stream is opened. */
  constructor(app: AppContext, id: string, from: EventPosition | 'now', signal: AbortSignal) {
    this.#app = app;
    this.#id = id;
    this.#from = from === 'now' ? undefined : from;
    this.#signal = signal;
    this.#wakeups = new Wakeups(app, signal);
  }

  /**
   * Begins to listen, and reads the execution: its trace, and whether there is nothing to come. Undefined if the
   * execution does not exist.
   *
   * @throws Overloaded when there are too many watchers.
   */
  async open(): Promise<{ readonly isExhausted: boolean; readonly traceId: string } | undefined> {
    this.#wakeups.watch(this.#id);
    const found = await this.#app.store.getProgress(this.#id);
    this.#first = found;
    if (found === undefined) return undefined;
    const { state, seq } = found;
    this.#from ??= { ord: state.ord, seq };
    this.#passing = new PassingEvents(this.#app, found, state.ord);
    return {
      isExhausted: state.end !== undefined && this.#at.ord >= state.ord && this.#at.seq >= seq,
      traceId: traceIdOf(this.#id, found.traceparent),
    };
  }

  get #at(): EventPosition {
    return this.#from ?? beginning;
  }

  set #at(at: EventPosition) {
    this.#from = at;
    this.#passed = 0;
  }

  async *events(): AsyncGenerator<StreamEvent, void, undefined> {
    let found = this.#first;
    this.#first = undefined;
    let state = found?.state;
    let shown = '';
    while (state !== undefined) {
      yield* this.#told((await this.#passing?.after(state)) ?? []);
      // The state is older than the steps read after it, so none is missing before a terminal status.
      if (state.ord > this.#at.ord) {
        yield* this.#steps();
        // Steps from before this status have not been sent yet, and a resumed stream must send them first.
        if (this.#signal.aborted) return;
        // Attempts have an ord, too.
        this.#at = { ord: Math.max(this.#at.ord, state.ord), seq: this.#at.seq };
      }
      if (found !== undefined) {
        const isOver = state.end !== undefined;
        const status = shownStatus(state);
        if (found.seq > this.#at.seq && (status !== shown || isOver)) {
          this.#at = { ord: this.#at.ord, seq: found.seq };
          yield this.#kept('status', statusEvent(this.#app, found));
        }
        if (isOver) return;
        shown = status;
      }
      // A place that came too soon after the one before is told a moment later.
      const pause = this.#passing?.waitMillis;
      const heard = await this.#wakeups.next(pause ?? silenceMillis);
      if (this.#signal.aborted) return;
      if (heard === undefined && pause !== undefined) {
        found = undefined;
        continue;
      }
      const isNews = heard === undefined || heard.end !== undefined || shownStatus(heard) !== shown;
      found = isNews ? await this.#app.store.getProgress(this.#id) : undefined;
      state = isNews ? found?.state : heard;
    }
  }

  /** The steps after the position, until the signal aborts. */
  async *#steps(): AsyncGenerator<StreamEvent, void, undefined> {
    let page: Page<StepRow>;
    do {
      page = await this.#app.store.listSteps(this.#id, {
        limit: stepPage,
        bytes: stepPageBytes,
        order: 'asc',
        afterOrd: this.#at.ord,
      });
      for (const row of page.items) {
        await turns.next();
        this.#at = { ord: row.ord, seq: this.#at.seq };
        if (isListed(row)) yield this.#kept('step', maskedStep(this.#app, this.#id, row));
      }
    } while (page.cursor !== undefined && !this.#signal.aborted);
  }

  #kept(kind: 'step' | 'status', data: JsonObject): StreamEvent {
    return { kind, id: positionText(this.#id, this.#at), data };
  }

  *#told(events: readonly PassingEvent[]): Generator<StreamEvent, void, undefined> {
    for (const event of events) yield { ...event, id: positionText(this.#id, this.#at, ++this.#passed) };
  }

  close(): void {
    this.#wakeups.close();
  }
}

/** What a status event is about: the stream has one whenever this changes. */
function shownStatus(state: State): string {
  return `${summarize(state).status} ${String(state.round)}`;
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
