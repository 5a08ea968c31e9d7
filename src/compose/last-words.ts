import type { Telemetry } from '../ports/telemetry.ts';
import type { Masker } from '../security/secrets/masking.ts';

/** What last words need. */
export interface Writing {
  readonly masker: Masker;
  readonly telemetry: Pick<Telemetry, 'log' | 'logs'>;
}

/** Logs an unhandled error and ends nothing. Returns a masked sentence about it where the log does not take it. */
export function lastWords(error: unknown, { masker, telemetry }: Writing): string | undefined {
  const message = error instanceof Error ? error.message : String(error);
  if (!telemetry.logs('fatal')) return masker.text(message);
  telemetry.log('fatal', 'an unhandled error ends the process', { error: message, stack: stackOf(error) });
  return undefined;
}

/** The stack of an error and of its causes. */
function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = error.cause === error ? undefined : stackOf(error.cause);
  return cause === undefined ? error.stack : `${error.stack ?? ''}\ncaused by ${cause}`;
}
