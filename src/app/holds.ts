import type { Json, JsonObject } from '../core/value/json.ts';
import { type CallHold, changeHolds, maxHolds, readHolds } from '../engine/call/gate/call-holds.ts';
import { placeOf } from '../engine/call/gate/origin.ts';
import { type Answer, granted, refused } from './answer.ts';
import { instant } from './instants.ts';
import { type AppContext, reasonWithout } from './context.ts';

/**
 * A hold as requested: an operator suspends the calls to a host or of a definition. Exactly one of `host` and `name`
 * must be given.
 */
export interface HoldRequest {
  /** `host` (any port) or `host:port`. */
  readonly host?: string;
  readonly name?: string;
  /** Requires `name`; absent: every version. */
  readonly version?: string;
  readonly reason: string;
  /** When the hold expires, in ms since 1970. */
  readonly until?: number;
}

/** All holds that have not expired, oldest first. */
export async function listHolds(app: AppContext): Promise<readonly JsonObject[]> {
  const holds = await readHolds(app.store, app.clock.now());
  return holds.map((hold) => documentOf(app, hold));
}

/** One hold. */
export async function findHold(app: AppContext, id: string): Promise<Answer<JsonObject>> {
  const hold = (await readHolds(app.store, app.clock.now())).find((each) => each.id === id);
  return hold === undefined ? refused('unknown_hold', `There is no hold ${id}.`) : granted(documentOf(app, hold));
}

/**
 * Creates a hold, or replaces the one with that id. It is durable once this resolves; every process applies it within
 * seconds.
 */
export async function putHold(app: AppContext, id: string, request: HoldRequest): Promise<Answer<JsonObject>> {
  const now = app.clock.now();
  const target = targetOf(request);
  if ('problem' in target) return refused('invalid_request', target.problem);
  if (request.until !== undefined && request.until <= now) {
    return refused('invalid_request', 'until: Must be in the future.');
  }
  let isFull = false;
  const holds = await changeHolds(app.store, now, (standing) => {
    const known = standing.findIndex((hold) => hold.id === id);
    isFull = known < 0 && standing.length >= maxHolds;
    if (isFull) return standing;
    const hold: CallHold = {
      id,
      ...target,
      reason: reasonWithout(app, request.reason),
      ...(app.actor === undefined ? undefined : { actor: app.actor }),
      ...(request.until === undefined ? undefined : { until: request.until }),
      createdAt: standing[known]?.createdAt ?? now,
    };
    return known < 0 ? [...standing, hold] : standing.with(known, hold);
  });
  const placed = holds.find((hold) => hold.id === id);
  if (isFull || placed === undefined) return refused('too_many_holds', `There are ${String(maxHolds)} holds already.`);
  app.holdsChanged?.();
  return granted(documentOf(app, placed));
}

/** Removes a hold, if it exists. */
export async function deleteHold(app: AppContext, id: string): Promise<void> {
  await changeHolds(app.store, app.clock.now(), (holds) => holds.filter((hold) => hold.id !== id));
  app.holdsChanged?.();
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

function documentOf(app: AppContext, { until, createdAt, ...hold }: CallHold): JsonObject {
  const document: Json = {
    ...hold,
    ...(until === undefined ? undefined : { until: instant(until) }),
    createdAt: instant(createdAt),
  };
  return app.masker.json(document) as JsonObject;
}
