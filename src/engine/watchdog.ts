import type { Run } from '../core/run.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, LongTurnKind, Telemetry } from '../ports/telemetry.ts';

/** Longer pieces of work are reported, in milliseconds: five such in a row, and `/healthz` misses its second. */
export const longTurnMillis = 200;

/** What a measurement needs. */
export interface WatchdogParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly telemetry: Pick<Telemetry, 'longTurn'>;
}

/**
 * Measures a piece of work that nothing else in the process can interrupt: it began at `begun` (by the monotonic clock)
 * and has ended. `fields` is called only if it took too long.
 */
export function watchTurn(parts: WatchdogParts, kind: LongTurnKind, begun: number, fields: () => LogFields): void {
  const millis = parts.clock.monotonic() - begun;
  if (millis > longTurnMillis) parts.telemetry.longTurn(kind, millis, fields());
}

/** Most nodes that a log line names. */
const maxNodes = 5;

/** The execution and its definition for a log line, with `nodeId` or its present nodes. */
export function turnFields({ header, state }: Run, nodeId?: string): LogFields {
  const nodes = nodeId === undefined ? state.tokens.slice(0, maxNodes).map((token) => token.nodeId) : [nodeId];
  return { sagaId: header.id, name: header.name, version: header.version, node: nodes.join(', ') };
}
