import type { LogicEngine } from 'json-logic-engine';

/** An engine method. Without `lazy` it receives evaluated arguments. */
export interface Method {
  readonly method: (args: unknown, context: unknown, above: unknown, engine: LogicEngine) => unknown;
  readonly lazy?: boolean;
  readonly optimizeUnary?: boolean;
  readonly deterministic: boolean;
}

/** The arguments of an operation as a list. */
export function argumentsOf(args: unknown): readonly unknown[] {
  return Array.isArray(args) ? args : [args];
}

/** A method of evaluated arguments. */
export function eager(method: (args: readonly unknown[]) => unknown): Method {
  return { method: (args) => method(argumentsOf(args)), deterministic: false };
}
