import type { Run } from '../core/run.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, LongTurnKind, Telemetry } from '../ports/telemetry.ts';

/** Duration of work beyond which it is reported, in milliseconds. Five such pieces in a row delay `/healthz` by a second. */
export const longTurnMillis = 200;

/** What a measurement needs. */
export interface WatchdogParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly telemetry: Pick<Telemetry, 'longTurn'>;
}

/**
 * Reports a finished piece of synchronous work that took too long. `begun` is its start by the monotonic clock. `fields`
 * is called only for a report.
 */
export function watchTurn(parts: WatchdogParts, kind: LongTurnKind, begun: number, fields: () => LogFields): void {
  const millis = parts.clock.monotonic() - begun;
  if (millis > longTurnMillis) parts.telemetry.longTurn(kind, millis, fields());
}

/** As {@link watchTurn}, for work on one execution; `nodeId` as in {@link turnFields}. */
export function watchRun(parts: WatchdogParts, kind: LongTurnKind, begun: number, run: Run, nodeId?: string): void {
  const millis = parts.clock.monotonic() - begun;
  if (millis > longTurnMillis) parts.telemetry.longTurn(kind, millis, turnFields(run, nodeId));
}

/** Maximum number of nodes that a log line names. */
const maxNodes = 5;

/** The execution and its definition for a log line, with `nodeId` or its present nodes. */
export function turnFields({ header, state }: Run, nodeId?: string): LogFields {
  const nodes = nodeId === undefined ? state.tokens.slice(0, maxNodes).map((token) => token.nodeId) : [nodeId];
  return { sagaId: header.id, name: header.name, version: header.version, node: nodes.join(', ') };
}
