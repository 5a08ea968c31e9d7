import { StoreContended, StoreUnavailable } from '../../../ports/store.ts';

/** The SQLSTATE of an error that the server sent; undefined for connection errors. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * Whether the values of a statement cannot be stored (SQLSTATE classes 21, 22, 23, 54). All other errors concern the server,
 * the network or the schema and never count against a row.
 */
export function isDataError(error: unknown): boolean {
  return /^(?:21|22|23|54)/.test(sqlStateOf(error) ?? '');
}

const collisions: ReadonlySet<string> = new Set([
  '40P01', // deadlock
  '40001', // serialization failure
  '55P03', // lock timeout
]);

/** Whether the statement conflicted with another one and may succeed when repeated at once. */
export function isCollision(error: unknown): boolean {
  return collisions.has(sqlStateOf(error) ?? '');
}

function kindOf(error: unknown): StoreUnavailable['kind'] {
  const state = sqlStateOf(error);
  if (state === '25006') return 'read_only';
  if (state === '53100') return 'full';
  return 'unreachable';
}

/** One line about an error, without passwords: pg puts none into its messages. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each) => messageOf(each)).join('; ');
  }
  const message = error instanceof Error ? error.message : String(error);
  const state = sqlStateOf(error);
  return state === undefined ? message : `${message} (SQLSTATE ${state})`;
}

/**
 * The error that callers of the store see, with what may be the reason in brackets. An error of the program itself is given
 * back as it is.
 */
export function unavailable(error: unknown, why?: string): unknown {
  if (error instanceof StoreUnavailable) return error;
  const isProgramError = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  if (isProgramError && sqlStateOf(error) === undefined) return error;
  const message = `Postgres cannot answer: ${messageOf(error)}${why === undefined ? '' : ` (${why})`}.`;
  return isCollision(error) ? new StoreContended(message) : new StoreUnavailable(kindOf(error), message, error);
}
