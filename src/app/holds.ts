/** Holds: what operators keep from being called. Durable before they are answered; every process hears of them within seconds. */
import type { Json, JsonObject } from '../core/value/json.ts';
import { type CallHold, changeHolds, maxHolds, readHolds } from '../engine/call/gate/call-holds.ts';
import { placeOf } from '../engine/call/gate/origin.ts';
import { type Answer, granted, refused } from './answer.ts';
import { instant } from './instants.ts';
import { type DeskParts, reasonWithout } from './context.ts';

/** What a hold is to be. Exactly one of `host` and `name` must be given. */
export interface HoldRequest {
  /** `host` (any port) or `host:port`. */
  readonly host?: string;
  readonly name?: string;
  /** Needs `name`; every version when absent. */
  readonly version?: string;
  readonly reason: string;
  /** When it ends by itself, in ms since 1970. */
  readonly until?: number;
}

/** All holds that have not ended, oldest first. */
export async function listHolds(parts: DeskParts): Promise<readonly JsonObject[]> {
  const holds = await readHolds(parts.store, parts.clock.now());
  return holds.map((hold) => documentOf(parts, hold));
}

/** One hold. */
export async function findHold(parts: DeskParts, id: string): Promise<Answer<JsonObject>> {
  const hold = (await readHolds(parts.store, parts.clock.now())).find((each) => each.id === id);
  return hold === undefined ? refused('unknown_hold', `There is no hold ${id}.`) : granted(documentOf(parts, hold));
}

/** Places a hold, or replaces the one of that id. */
export async function putHold(parts: DeskParts, id: string, request: HoldRequest): Promise<Answer<JsonObject>> {
  const now = parts.clock.now();
  const target = targetOf(request);
  if ('problem' in target) return refused('invalid_request', target.problem);
  if (request.until !== undefined && request.until <= now) {
    return refused('invalid_request', 'until: Must be in the future.');
  }
  let isFull = false;
  const holds = await changeHolds(parts.store, now, (standing) => {
    const known = standing.findIndex((hold) => hold.id === id);
    isFull = known < 0 && standing.length >= maxHolds;
    if (isFull) return standing;
    const hold: CallHold = {
      id,
      ...target,
      reason: reasonWithout(parts, request.reason),
      ...(parts.actor === undefined ? undefined : { actor: parts.actor }),
      ...(request.until === undefined ? undefined : { until: request.until }),
      createdAt: standing[known]?.createdAt ?? now,
    };
    return known < 0 ? [...standing, hold] : standing.with(known, hold);
  });
  const placed = holds.find((hold) => hold.id === id);
  if (isFull || placed === undefined) return refused('too_many_holds', `There are ${String(maxHolds)} holds already.`);
  parts.holdsChanged?.();
  return granted(documentOf(parts, placed));
}

/** Lifts a hold; absent is fine. */
export async function deleteHold(parts: DeskParts, id: string): Promise<void> {
  await changeHolds(parts.store, parts.clock.now(), (holds) => holds.filter((hold) => hold.id !== id));
  parts.holdsChanged?.();
}

type Target = Pick<CallHold, 'host' | 'name' | 'version'>;

function targetOf({ host, name, version }: HoldRequest): Target | { readonly problem: string } {
  if ((host === undefined) === (name === undefined)) return { problem: 'request: Must have either host or name.' };
  if (host === undefined) {
    return { ...(name === undefined ? undefined : { name }), ...(version === undefined ? undefined : { version }) };
  }
  if (version !== undefined) return { problem: 'version: Needs name.' };
  const normal = placeOf(host.trim());
  return normal === undefined
    ? {
        problem:
          'host: Must be a host name or an IP address, with a port or without, like bank.example or 10.0.0.7:8443.',
      }
    : { host: normal };
}

function documentOf(parts: DeskParts, { until, createdAt, ...hold }: CallHold): JsonObject {
  const document: Json = {
    ...hold,
    ...(until === undefined ? undefined : { until: instant(until) }),
    createdAt: instant(createdAt),
  };
  return parts.masker.json(document) as JsonObject;
}
