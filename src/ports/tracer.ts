/** Where spans go. They are told when they are over, so that nothing is kept open that a crash would lose. */

/** What a span may say besides its name. No payloads, no secrets; undefined values are left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A span that is over. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  /** Milliseconds since 1970. */
  readonly startMillis: number;
  readonly endMillis: number;
  readonly attributes: SpanAttributes;
  /** Why it failed, in a word or two; absent when it did not. */
  readonly error?: string | undefined;
}

/** An implementation must be cheap and must not throw. */
export interface Tracer {
  /**
   * Whether spans of this trace are wanted: what its parent says, where it has one. Every process gives the same answer,
   * at any time.
   */
  samples(traceId: string, isParentSampled: boolean | undefined): boolean;
  /** Takes a span of a trace that is sampled. It may be dropped. */
  record(span: Span): void;
}
