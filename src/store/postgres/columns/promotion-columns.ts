import type { CopiedKind } from '../../../ports/promotion.ts';
import { boolArray, int4Array, int8Array, textArray, uuidArray } from './binary-array.ts';
import { decodeText, encodeJsonText, encodeText } from './text-column.ts';

/** `text` is any text, `json` is JSON text. */
type ColumnType = 'uuid' | 'int' | 'bigint' | 'bool' | 'text' | 'json';

/** A column of a kind. */
export type Column = readonly [name: string, type: ColumnType];

/** A value of a row. */
export type Value = string | number | null;

/** Columns of rows from another store, by kind, in the order of the port, with their types. */
export const promotionColumns: Readonly<Record<CopiedKind, readonly Column[]>> = {
  body: [
    ['hash', 'text'],
    ['name', 'text'],
    ['version', 'text'],
    ['definition', 'json'],
  ],
  execution: [
    ['id', 'uuid'],
    ['hash', 'text'],
    ['name', 'text'],
    ['version', 'text'],
    ['slot', 'int'],
    ['created_at', 'bigint'],
    ['updated_at', 'bigint'],
    ['started_at', 'bigint'],
    ['completed_at', 'bigint'],
    ['seq', 'int'],
    ['inbox_seq', 'int'],
    ['claims', 'int'],
    ['round', 'int'],
    ['standing', 'int'],
    ['status', 'text'],
    ['change', 'text'],
    ['reason', 'text'],
    ['failed_node_id', 'text'],
    ['failure_description', 'text'],
    ['callback_warning', 'text'],
    ['callback_keys', 'text'],
    ['traceparent', 'text'],
    ['labels', 'json'],
    ['parent', 'uuid'],
    ['root', 'uuid'],
    ['link', 'json'],
    ['state', 'json'],
    ['payload', 'json'],
  ],
  step: [
    ['execution', 'uuid'],
    ['ord', 'int'],
    ['round', 'int'],
    ['node_id', 'text'],
    ['visit', 'int'],
    ['scope', 'text'],
    ['readable', 'int'],
    ['marked', 'int'],
    ['effect', 'text'],
    ['undo', 'text'],
    ['undo_rank', 'int'],
    ['undo_sort', 'int'],
    ['call_id', 'int'],
    ['"row"', 'json'],
    ['shown', 'json'],
    ['call', 'json'],
    ['output', 'json'],
  ],
  call: [
    ['execution', 'uuid'],
    ['ord', 'int'],
    ['"row"', 'json'],
  ],
  event: [
    ['execution', 'uuid'],
    ['id', 'text'],
    ['position', 'int'],
    ['at', 'bigint'],
    ['nonce', 'text'],
    ['body_hash', 'text'],
    ['pending', 'bool'],
    ['event', 'json'],
  ],
  startKey: [
    ['caller', 'text'],
    ['key', 'text'],
    ['execution_id', 'uuid'],
    ['created_at', 'bigint'],
    ['fingerprint', 'text'],
    ['orphan', 'bool'],
  ],
  audit: [
    ['id', 'text'],
    ['at', 'bigint'],
    ['actor', 'text'],
    ['action', 'text'],
    ['target', 'text'],
    ['address', 'text'],
    ['outcome', 'text'],
    ['request_id', 'text'],
    ['details', 'json'],
  ],
};

type Nullable<T> = readonly (T | null)[];

const encoders: Readonly<Record<ColumnType, (values: readonly Value[]) => Buffer>> = {
  uuid: (values) => uuidArray(values as Nullable<string>),
  int: (values) => int4Array(values as Nullable<number>),
  bigint: (values) => int8Array(values as Nullable<number>),
  bool: (values) => boolArray(values.map((value) => value === 1)),
  text: (values) => textArray((values as Nullable<string>).map((text) => text && encodeText(text))),
  json: (values) => textArray((values as Nullable<string>).map((text) => text && encodeJsonText(text))),
};

/**
 * Encodes rows as one array parameter per column. Throws a RangeError when a number does not fit or an id is not a UUID.
 */
export function columnParameters(columns: readonly Column[], rows: readonly (readonly Value[])[]): Buffer[] {
  return columns.map(([, type], i) => encoders[type](rows.map((row) => row[i] as Value)));
}

/** The row source for {@link columnParameters}, starting at `$1`. */
export function columnSource(columns: readonly Column[]): string {
  return `unnest(${columns.map(([, type], i) => `$${i + 1}::${type === 'json' ? 'text' : type}[]`).join(', ')})`;
}

/** Decodes a row as read, with its columns in the order of the kind. */
export function decodeRow(columns: readonly Column[], row: readonly unknown[]): Value[] {
  return columns.map(([, type], i) => {
    const value = row[i];
    if (type === 'bool') return value === true ? 1 : 0;
    return type === 'text' && typeof value === 'string' ? decodeText(value) : (value as Value);
  });
}
