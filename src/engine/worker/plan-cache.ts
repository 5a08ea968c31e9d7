import { hash as digest } from 'node:crypto';
import { compileDefinition } from '../../core/definition/compile.ts';
import type { DefinitionLimits } from '../../core/definition/limits.ts';
import { canonicalJson, type Json, parseJson } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import type { Store } from '../../ports/store.ts';
import type { DefinitionTelemetry, Telemetry } from '../../ports/telemetry.ts';
import { BoundedMap } from '../bounded-map.ts';

/** A compiled definition, or all its problems. */
export type Compiled =
  | { readonly ok: true; readonly plan: Plan; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[]; readonly warnings: readonly string[] };

/** Maximum estimated bytes of the cached plans: some hundred typical definitions, or a few of the largest. */
const maxPlanBytes = 64 * 1024 * 1024;

/** What a plan cache needs. */
export interface PlanCacheParts {
  readonly store: Pick<Store, 'getDefinitionBody'>;
  readonly telemetry: Telemetry;
  /** Maximum number of cached plans. */
  readonly size: number;
  readonly limits?: DefinitionLimits;
}

/**
 * `isLenient`: a timeout exceeds the present bound of definitions, so the plan is valid only for stored executions.
 */
type Good = Extract<Compiled, { ok: true }> & { readonly isLenient?: true };

/**
 * Bounded cache of compiled definitions by content hash, with their telemetry handles, so that a step needs no look-up of
 * labels.
 *
 * The hash is SHA-256 over the canonical JSON of the definition: keys in order, numbers by their digits. Executions are
 * pinned to it.
 */
export class PlanCache {
  readonly #parts: PlanCacheParts;
  readonly #plans: BoundedMap<string, Good>;
  readonly #loading = new Map<string, Promise<Plan | undefined>>();
  readonly #telemetry = new WeakMap<Plan, DefinitionTelemetry>();

  constructor(parts: PlanCacheParts) {
    this.#parts = parts;
    this.#plans = new BoundedMap(parts.size, { most: maxPlanBytes, of: ({ plan }) => plan.weight });
  }

  /** Compiles a definition as it was submitted; `plan.hash` is its content hash. The same content again costs only the hash. */
  compile(definition: Json): Compiled {
    const hash = digest('sha256', canonicalJson(definition));
    const known = this.#plans.get(hash);
    if (known !== undefined && known.isLenient !== true) return known;
    const { limits } = this.#parts;
    const compiled = compileDefinition(definition, limits === undefined ? { hash } : { hash, limits });
    if (compiled.ok) this.#plans.set(hash, compiled);
    return compiled;
  }

  /**
   * The plan of a pinned definition; undefined if neither an execution nor a record has that content, or if this release
   * no longer accepts it. Concurrent requests share one read.
   *
   * @throws StoreUnavailable when the definition is not cached and the store does not answer.
   */
  load(hash: string): Promise<Plan | undefined> {
    const known = this.#plans.get(hash);
    if (known !== undefined) return Promise.resolve(known.plan);
    const underWay = this.#loading.get(hash);
    if (underWay !== undefined) return underWay;
    const loading = this.#read(hash).finally(() => this.#loading.delete(hash));
    this.#loading.set(hash, loading);
    return loading;
  }

  /** The plan, if it is in memory. */
  peek(hash: string): Plan | undefined {
    return this.#plans.get(hash)?.plan;
  }

  /** The counters of the plan's definition. */
  telemetryOf(plan: Plan): DefinitionTelemetry {
    let handle = this.#telemetry.get(plan);
    if (handle === undefined) {
      handle = this.#parts.telemetry.definition(plan.name, plan.version);
      this.#telemetry.set(plan, handle);
    }
    return handle;
  }

  async #read(hash: string): Promise<Plan | undefined> {
    const text = await this.#parts.store.getDefinitionBody(hash);
    if (text === undefined) return undefined;
    const { limits } = this.#parts;
    // The hash that the execution is pinned to names the plan, even if the text hashes differently now.
    const document = parseJson(text);
    const strict = compileDefinition(document, limits === undefined ? { hash } : { hash, limits });
    // A lowered bound must not stop executions that were accepted under the old one: the engine ends their calls at the
    // new bound.
    const compiled: Compiled & { readonly isLenient?: true } = strict.ok
      ? strict
      : {
          ...compileDefinition(document, { hash, limits: { ...limits, maxTimeoutMillis: Infinity } }),
          isLenient: true,
        };
    if (!compiled.ok) {
      this.#parts.telemetry.log('error', 'pinned definition does not compile', { hash, error: compiled.errors[0] });
      return undefined;
    }
    this.#plans.set(hash, compiled);
    return compiled.plan;
  }
}
