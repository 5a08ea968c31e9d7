import type { Json } from '../../../../src/core/value/json.ts';
import { instantAt, numberAt, objectOf, textAt } from '../../api/reading.ts';

/** An operator's hold of a host or a definition. */
export interface Hold {
  readonly id: string;
  readonly host?: string | undefined;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly reason: string;
  readonly actor?: string | undefined;
  readonly createdAt?: number | undefined;
  readonly until?: number | undefined;
  /** Runs that wait for it, where the server counts them. */
  readonly waiting?: number | undefined;
}

/** Reads a hold. */
export function readHold(json: Json): Hold {
  const value = objectOf(json);
  return {
    id: textAt(value, 'id') ?? '',
    host: textAt(value, 'host'),
    name: textAt(value, 'name'),
    version: textAt(value, 'version'),
    reason: textAt(value, 'reason') ?? '',
    actor: textAt(value, 'actor'),
    createdAt: instantAt(value, 'createdAt'),
    until: instantAt(value, 'until'),
    waiting: numberAt(value, 'waiting'),
  };
}

/** What a hold keeps from going out. */
export function heldText({ host, name, version }: Hold): string {
  return host ?? `${name ?? ''}${version === undefined ? '' : ` ${version}`}`;
}
