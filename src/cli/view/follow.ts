/** Following a run on a server until something is true of it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '../../core/value/json.ts';
import { asObject, textField, type ApiClient } from '../api-client.ts';

/** Pauses between looks at a run that takes long. */
const pollMillis = { first: 100, longest: 1000 };

const terminalStatuses: ReadonlySet<string> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED', 'CORRUPTED', 'TERMINATED']);

/** Whether a run with this status is over. */
export function isOver(status: string): boolean {
  return terminalStatuses.has(status);
}

/**
 * Asks for the status document until `isReached` says so, or the run is over; answers the last one. `isReached` is called
 * with the status of every document.
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
