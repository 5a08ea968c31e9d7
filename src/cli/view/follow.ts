/** Follows a run on a server until a condition holds. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '../../core/value/json.ts';
import { asObject, textField, type ApiClient } from '../api-client.ts';

/** Pauses between readings of a long run. */
const pollMillis = { first: 100, longest: 1000 };

const terminalStatuses: ReadonlySet<string> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED', 'CORRUPTED', 'TERMINATED']);

/** Whether a run with this status has ended. */
export function isOver(status: string): boolean {
  return terminalStatuses.has(status);
}

/**
 * Reads the status document until `isReached` returns true for it, or the run has ended; returns the last one.
 * `isReached` receives every document.
 */
export async function follow(
  api: ApiClient,
  id: string,
  isReached: (status: string) => boolean | Promise<boolean>,
): Promise<JsonObject> {
  for (let pause = pollMillis.first; ; pause = Math.min(pause * 1.5, pollMillis.longest)) {
    const document = asObject(await api.ask('GET', `/workflows/${id}`));
    const status = textField(document, 'status') ?? '';
    if ((await isReached(status)) || isOver(status)) return document;
    await delay(pause);
  }
}
