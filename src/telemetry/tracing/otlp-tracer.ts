/**
 * The tracer over an OpenTelemetry collector: sampled, in batches, with a bounded queue. Spans are best effort: what the
 * collector does not take is counted and forgotten, and nobody waits for it.
 */
import type { Span, Tracer } from '../../ports/tracer.ts';
import { GrpcSender } from './grpc-sender.ts';
import { exportRequest, type Resource } from './otlp.ts';

/** What the tracer needs to know. */
export interface OtlpOptions {
  readonly resource: Resource;
  /** http or https URL. */
  readonly endpoint: string;
  /** From 0 to 1. */
  readonly sampleRatio: number;
  /** Told what became of spans. Must not throw. */
  readonly count: (result: 'exported' | 'failed' | 'dropped', spans: number) => void;
  /** Told when sending begins to fail (with the reason) and when it works again (undefined). Must not throw. */
  readonly changed: (problem: string | undefined) => void;
  readonly sizes?: { readonly queue: number; readonly batch: number };
}

const defaultSizes = { queue: 8192, batch: 512 };
const delayMillis = 1000;
const timeoutMillis = 10_000;
/** How long the end of the process may wait for the last spans. */
const flushMillis = 3000;
/** The last 52 bits of a trace id are random, also where it is a UUIDv7, and no more digits are exact as a number. */
const randomDigits = 13;

/** See the file header. */
export class OtlpTracer implements Tracer {
  readonly #options: OtlpOptions;
  readonly #sizes: { readonly queue: number; readonly batch: number };
  readonly #sender: GrpcSender;
  #queue: Span[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#sizes = options.sizes ?? defaultSizes;
    this.#sender = new GrpcSender(options.endpoint, timeoutMillis);
  }

  samples(traceId: string, isParentSampled: boolean | undefined): boolean {
    if (isParentSampled !== undefined) return isParentSampled;
    const { sampleRatio } = this.#options;
    if (sampleRatio >= 1) return true;
    return Number.parseInt(traceId.slice(-randomDigits), 16) / 2 ** (4 * randomDigits) < sampleRatio;
  }

  record(span: Span): void {
    if (this.#isClosed || this.#queue.length >= this.#sizes.queue) {
      this.#options.count('dropped', 1);
      return;
    }
    this.#queue.push(span);
    if (this.#queue.length >= this.#sizes.batch) this.#send();
    else this.#plan();
  }

  /** Sends what waits, for at most three seconds, unless in a hurry; takes nothing more. A second call does nothing. */
  async close(isHurried: boolean): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (!isHurried) await this.#flushInTime();
    const left = this.#queue.length;
    this.#queue = [];
    if (left > 0) this.#options.count('dropped', left);
    // A batch under way fails by this, and is counted as failed.
    this.#sender.close();
  }

  async #flushInTime(): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const isLate = new Promise<void>((resolve) => {
      late = setTimeout(resolve, flushMillis);
    });
    await Promise.race([this.#flush(), isLate]);
    clearTimeout(late);
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#sending !== undefined) {
      this.#send();
      // oxlint-disable-next-line no-await-in-loop -- one batch at a time
      await this.#sending;
    }
  }

  #plan(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#send();
    }, delayMillis).unref();
  }

  /** One batch at a time: a collector that is slow is not given more at once. */
  #send(): void {
    if (this.#sending !== undefined || this.#queue.length === 0) return;
    this.#sending = this.#export(this.#queue.splice(0, this.#sizes.batch)).finally(() => {
      this.#sending = undefined;
      if (this.#isClosed) return;
      if (this.#queue.length >= this.#sizes.batch) this.#send();
      else if (this.#queue.length > 0) this.#plan();
    });
  }

  async #export(batch: readonly Span[]): Promise<void> {
    const { resource, count, changed } = this.#options;
    try {
      await this.#sender.send(exportRequest(resource, batch));
    } catch (error) {
      count('failed', batch.length);
      if (!this.#isFailing) changed(error instanceof Error ? error.message : String(error));
      this.#isFailing = true;
      return;
    }
    count('exported', batch.length);
    if (this.#isFailing) changed(undefined);
    this.#isFailing = false;
  }
}
