import * as shape from './documents/schema.ts';
import type { Schema, TypedSchema } from './documents/schema.ts';
import { parseInstant } from '../core/value/instant.ts';
import type { PageRequest } from '../ports/records.ts';
import { plainAddress } from '../security/addresses.ts';
import { ApiError } from './http/failure.ts';

/** The id in a path. */
export interface IdParameters {
  readonly id: string;
}

const id: Schema = shape.string({ format: 'uuid' });

/** Path parameters `{ id }`. */
export const idParameters: TypedSchema = shape.object({ id });

/** The id in the store's spelling: UUIDs are equal regardless of case. */
export function idOf(params: unknown): string {
  return (params as IdParameters).id.toLowerCase();
}

/** An optional field that may also be null. */
export function optional(schema: Schema & { readonly type: string }): Schema {
  return shape.optional({ ...schema, type: [schema.type, 'null'] });
}

/** Characters of a reason: a paragraph and a link to the incident. */
export const maxReason = 2000;

/** Optional reason for a change. */
export const reasonField: Schema = optional(
  shape.string({ maxLength: maxReason, description: 'Why; stands in the audit log and in the status document.' }),
);

/** Query parameters of a page. */
export interface PageQuery {
  readonly limit?: number;
  readonly cursor?: string;
  readonly offset?: number;
  readonly order?: 'asc' | 'desc';
}

/** Fields of a page's query; `limit` is clamped, so the schema has no bounds. */
export function pageFields(defaultLimit: number, maxLimit: number): Readonly<Record<string, Schema>> {
  return {
    limit: shape.optional(
      shape.integer({ description: `1 to ${String(maxLimit)}, clamped; ${String(defaultLimit)} when absent.` }),
    ),
    cursor: shape.optional(
      shape.string({ maxLength: maxCursorLength, description: 'X-Next-Cursor of the page before.' }),
    ),
    order: shape.optional(shape.oneOf(['asc', 'desc'])),
  };
}

/** `bodies=none` leaves out what may be large. */
export const bodiesField: Readonly<Record<string, Schema>> = {
  bodies: shape.optional({ ...shape.oneOf(['none']), description: 'none: without bodies.' }),
};

/** Longer than any cursor of a list. */
const maxCursorLength = 1024;

/** Rows that `offset` may skip. Each is still read, so only cursors reach rows further back. */
const maxOffset = 10_000;

/** `offset` skips rows; slow if large. */
export const offsetField: Readonly<Record<string, Schema>> = {
  offset: shape.optional(
    shape.integer({
      minimum: 0,
      maximum: maxOffset,
      description: 'Rows to skip; a cursor is faster, and goes further.',
    }),
  ),
};

/** Characters of a filter text: more than any stored name has. */
export const maxFilterLength = 1024;

/** A text to filter a list by. */
export function filterText(description?: string): Schema {
  return shape.optional(
    shape.string({ maxLength: maxFilterLength, ...(description !== undefined && { description }) }),
  );
}

/** The page that a query requests. */
export function pageOf(query: PageQuery, limits: { readonly default: number; readonly max: number }): PageRequest {
  const { limit = limits.default, cursor, offset, order } = query;
  return {
    limit: clamp(limit, 1, limits.max),
    ...(cursor !== undefined && cursor !== '' && { cursor }),
    ...(offset !== undefined && { offset }),
    ...(order !== undefined && { order }),
  };
}

/** The nearest value within bounds. */
export function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

/** Parses an instant in a query. Restores a `+` that was decoded to a space. */
export function instantOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text.replace(' ', '+'));
  if (instant !== undefined) return instant;
  throw new ApiError('invalid_request', `${name}: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.`);
}

/**
 * The address of the caller, without a port. If a trusted proxy reports text that is not an address, the result is the
 * proxy's own address; otherwise each invented word would count as another caller. `''` once the connection is closed,
 * despite the types.
 */
export function addressOf(request: { readonly ip: string; readonly ips?: string[] | undefined }): string {
  const { ip, ips }: { readonly ip: string | undefined; readonly ips?: string[] | undefined } = request;
  if (ip === undefined) return '';
  // The nearest address comes first: that of the connection, which is always valid.
  return plainAddress(ip) ?? ips?.map((each) => plainAddress(each)).findLast((each) => each !== undefined) ?? '';
}

/** The text of a header that must not be repeated. */
export function headerOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  name: string,
): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
