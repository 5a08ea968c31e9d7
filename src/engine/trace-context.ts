import { hash } from 'node:crypto';

const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The content of a `traceparent` header. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Parses a header; undefined when it is absent or malformed. */
export function parentOf(header: string | undefined): TraceParent | undefined {
  if (!isUsable(header)) return undefined;
  return {
    traceId: header.slice(3, 35),
    spanId: header.slice(36, 52),
    isSampled: (Number.parseInt(header.slice(53), 16) & 1) === 1,
  };
}

/** The trace of an execution: its id (see {@link traceIdOf}), and the header of the submission. */
export interface Trace {
  readonly traceId: string;
  readonly traceparent?: string | undefined;
}

/**
 * Creates the W3C `traceparent` header of an outbound call, with a new span id. If the submission had a well-formed
 * header, the call continues that trace with its flags. Otherwise the execution's id is the trace id, so that all workers
 * use the same trace, also after a restart, and `isSampled` sets the flags. `random` returns 64 bits as two numbers in
 * [0, 1).
 */
export function traceparentOf(
  { traceId, traceparent }: Trace,
  random: () => number,
  isSampled: boolean = false,
): string {
  const span = spanOf(random);
  if (isUsable(traceparent)) return `${traceparent.slice(0, 36)}${span}${traceparent.slice(52)}`;
  return `00-${traceId}-${span}-${isSampled ? '01' : '00'}`;
}

/**
 * Creates the `traceparent` header of an execution that another one starts: it continues the trace of its parent, below the span of the
 * visit that starts it. `trace` is that of the parent.
 */
export function childTraceparentOf({ traceId, traceparent }: Trace, visitSpanId: string, isSampled: boolean): string {
  if (isUsable(traceparent)) return `${traceparent.slice(0, 36)}${visitSpanId}${traceparent.slice(52)}`;
  return `00-${traceId}-${visitSpanId}-${isSampled ? '01' : '00'}`;
}

function isUsable(traceparent: string | undefined): traceparent is string {
  return traceparent !== undefined && form.test(traceparent);
}

/** The bytes of one span id. */
const spanBytes = Buffer.alloc(8);

/** 64 bits as hex; neither half is all zero, because an id of zeros is invalid. */
function spanOf(random: () => number): string {
  spanBytes.writeUInt32BE(bitsOf(random()), 0);
  spanBytes.writeUInt32BE(bitsOf(random()), 4);
  return spanBytes.toString('hex');
}

function bitsOf(share: number): number {
  return Math.floor(share * 0xffff_ffff) + 1;
}

/** The trace id that {@link traceparentOf} uses, for log lines. */
export function traceIdOf(executionId: string, parent: string | undefined): string {
  return isUsable(parent) ? parent.slice(3, 35) : executionId.replaceAll('-', '');
}

/** The id of the span of a round. Every process computes the same id, so calls can name the span before it ends. */
export function roundSpanIdOf(executionId: string, round: number): string {
  return hash('sha256', `${executionId}:${String(round)}`).slice(0, 16);
}

/** The id of the span of a visit that starts another execution, which names it before it ends. */
export function visitSpanIdOf(executionId: string, round: number, nodeId: string, visit: number): string {
  return hash('sha256', `${executionId}:${String(round)}:${nodeId}:${String(visit)}`).slice(0, 16);
}
