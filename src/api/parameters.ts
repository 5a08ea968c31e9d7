/** Parameters that several routes share, and how their texts become values. */
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

/** The id as the store has it: UUIDs are equal whatever the case of their digits. */
export function idOf(params: unknown): string {
  return (params as IdParameters).id.toLowerCase();
}

/** A field that may be left out or null. */
export function optional(schema: Schema & { readonly type: string }): Schema {
  return shape.optional({ ...schema, type: [schema.type, 'null'] });
}

/** Characters of a reason: a paragraph, with room for a link to the incident. */
export const maxReason = 2000;

/** Why a change is asked for; may be left out. */
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

/** Longer than any cursor that a list gives. */
const maxCursorLength = 1024;

/** Rows that a page may skip: each is read all the same, so that what lies further behind is reached by cursors only. */
const maxOffset = 10_000;

/** Skips rows; slow when large. */
export const offsetField: Readonly<Record<string, Schema>> = {
  offset: shape.optional(
    shape.integer({
      minimum: 0,
      maximum: maxOffset,
      description: 'Rows to skip; a cursor is faster, and goes further.',
    }),
  ),
};

/** Characters of a text that a list is filtered by: more than any name that is stored has. */
export const maxFilterLength = 1024;

/** A text that a list is filtered by. */
export function filterText(description?: string): Schema {
  return shape.optional(
    shape.string({ maxLength: maxFilterLength, ...(description !== undefined && { description }) }),
  );
}

/** The page that a query asks for. */
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

/** An instant of a query. A `+` that became a blank on its way is one again. */
export function instantOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text.replace(' ', '+'));
  if (instant !== undefined) return instant;
  throw new ApiError('invalid_request', `${name}: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.`);
}

/**
 * The address of the caller, without a port. What a trusted proxy names that is no address counts as the address of the proxy itself:
 * else each made-up word would be another caller. `''` once the connection is gone, whatever the types say.
 */
export function addressOf(request: { readonly ip: string; readonly ips?: string[] | undefined }): string {
  const { ip, ips }: { readonly ip: string | undefined; readonly ips?: string[] | undefined } = request;
  if (ip === undefined) return '';
  // The nearest address comes first: that of the connection, which is always one.
  return plainAddress(ip) ?? ips?.map((each) => plainAddress(each)).findLast((each) => each !== undefined) ?? '';
}

/** A header that may come once, as text. */
export function headerOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  name: string,
): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
