import { isJsonObject, type Json, type JsonObject } from '../value/json.ts';
import type { RetryError, RetryOn, RetryPolicy } from '../plan.ts';
import { callBook, retryErrors } from './shape/call-shape.ts';
import { at, type Path, type Problems } from './problems.ts';
import { fits, present, toNumber } from './shape/shape-check.ts';

/** Default retry policy of forward calls and hooks. */
export const defaultFailureHandling: RetryPolicy = {
  type: 'backoff',
  maxAttempts: 3,
  initialDelayMillis: 500,
  maxDelayMillis: 10_000,
  multiplier: 2,
  jitterRatio: 0.2,
};

/** Default retry policy of compensations. */
export const defaultCompensationHandling: RetryPolicy = {
  type: 'backoff',
  maxAttempts: 20,
  initialDelayMillis: 500,
  maxDelayMillis: 60_000,
  multiplier: 2,
  jitterRatio: 0,
};

/**
 * Minimum number of retries below which a compensation policy causes a warning: a compensation that gives up needs an
 * operator.
 */
const fewCompensationRetries = 5;

const timeoutWarning =
  'Timeouts are left out, so a call that times out is not retried; list "timeout" in errors if it should be.';

/**
 * Compiles a retry policy; returns `fallback` if the definition has none.
 *
 * @returns undefined if the structure is invalid, which the shape check has already reported.
 */
export function compilePolicy(
  json: Json | undefined,
  path: Path,
  fallback: RetryPolicy,
  problems: Problems,
): RetryPolicy | undefined {
  if (json === undefined) return fallback;
  if (!isJsonObject(json)) return undefined;
  const retryOn = compileRetryOn(present(json, 'retryOn'), at(path, 'retryOn'), problems);
  const number = (key: string): number | undefined => toNumber(present(json, key));
  const [initial, max] = [number('initialDelayMillis'), number('maxDelayMillis')];
  if (json['type'] === 'backoff' && initial !== undefined && max !== undefined && max < initial) {
    const sentence = `Must not be below initialDelayMillis, which is ${String(initial)}, but is ${String(max)}.`;
    problems.error(at(path, 'maxDelayMillis'), sentence);
  }
  if (!fits({ type: 'ref', name: 'RetryPolicy' }, json, callBook)) return undefined;
  const common = { maxAttempts: number('maxAttempts') ?? 0, ...(retryOn === undefined ? {} : { retryOn }) };
  if (json['type'] === 'retry') return { type: 'retry', ...common, delayMillis: number('delayMillis') ?? 0 };
  return {
    type: 'backoff',
    ...common,
    initialDelayMillis: initial ?? 0,
    maxDelayMillis: max ?? 0,
    multiplier: number('multiplier') ?? 2,
    jitterRatio: number('jitterRatio') ?? 0,
  };
}

/** Warns about a compensation policy with few retries. */
export function warnOfShortPolicy(policy: RetryPolicy, path: Path, problems: Problems): void {
  if (policy.maxAttempts >= fewCompensationRetries) return;
  const retries = policy.maxAttempts === 1 ? '1 retry' : `${String(policy.maxAttempts)} retries`;
  problems.warn(
    at(path, 'maxAttempts'),
    `A compensation gives up after ${retries}, which leaves the execution CORRUPTED; allow at least ${String(fewCompensationRetries)}.`,
  );
}

function compileRetryOn(json: Json | undefined, path: Path, problems: Problems): RetryOn | undefined {
  if (json === undefined || !isJsonObject(json) || !fits({ type: 'ref', name: 'RetryOn' }, json, callBook)) {
    return undefined;
  }
  const codes = list(json, 'statusCodes');
  const errors = list(json, 'errors');
  if (!errors.includes('timeout')) problems.warn(path, timeoutWarning);
  return {
    statusCodes: new Set(codes.flatMap((code) => toNumber(code) ?? [])),
    statusClasses: new Set(codes.flatMap((code) => (typeof code === 'string' ? [Number(code[0])] : []))),
    errors: new Set<RetryError>(retryErrors.filter((error) => errors.includes(error))),
  };
}

function list(json: JsonObject, key: string): readonly Json[] {
  const value = present(json, key);
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
