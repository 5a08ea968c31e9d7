/** Measures pieces of work that nothing else in the process can interrupt, and tells of those that take too long. */
import type { Run } from '../core/run.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, LongTurnKind, Telemetry } from '../ports/telemetry.ts';

/** A piece of work that takes longer is told of, in milliseconds: five such in a row, and `/healthz` misses its second. */
export const longTurnMillis = 200;

/** What a measurement needs. */
export interface WatchdogParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly telemetry: Pick<Telemetry, 'longTurn'>;
}

/** A piece of work that began at `begun` (by the monotonic clock) has ended. `fields` is asked only where it took too long. */
export function watchTurn(parts: WatchdogParts, kind: LongTurnKind, begun: number, fields: () => LogFields): void {
  const millis = parts.clock.monotonic() - begun;
  if (millis > longTurnMillis) parts.telemetry.longTurn(kind, millis, fields());
}

/** Nodes that a log line names at most. */
const maxNodes = 5;

/** The execution and its definition for a log line, with `nodeId` or where it stands. */
export function turnFields({ header, state }: Run, nodeId?: string): LogFields {
  const nodes = nodeId === undefined ? state.tokens.slice(0, maxNodes).map((token) => token.nodeId) : [nodeId];
  return { sagaId: header.id, name: header.name, version: header.version, node: nodes.join(', ') };
}
