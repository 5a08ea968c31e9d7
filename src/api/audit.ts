import type { FastifyRequest } from 'fastify';
import { type JsonObject, stringifyJson } from '../core/value/json.ts';
import type { AuditEntry } from '../ports/audit.ts';
import type { Store } from '../ports/store.ts';
import type { Answer } from '../app/answer.ts';
import type { AppContext } from '../app/context.ts';
import { type ErrorCode, errorRegistry } from './error-registry.ts';
import { ApiError } from './http/failure.ts';
import { addressOf } from './parameters.ts';
import { appFor } from './request-store.ts';

/** A change to record. */
export interface Change {
  /** Such as `execution.cancel`. */
  readonly action: string;
  /** Id of what is changed; `''` where the change makes it. */
  readonly target: string;
  /** Details, such as a reason. Secrets are masked before storing, since entries are permanent. */
  readonly details?: JsonObject;
}

/** Outcome of a change that was made. */
const done = 'done';

/**
 * The audit log: every change that a caller makes over the API.
 *
 * A change is never answered without its entry: where the change is one write of the store, the entry goes into the same
 * transaction; a change that was refused is entered before it is answered, and when that cannot be done the answer is 503.
 * Invalid requests (400) and requests that the gate refused are in the log of the process, not here, so that
 * strangers cannot fill the audit log.
 */
export class Audit {
  readonly #app: AppContext;
  readonly #store: Pick<Store, 'appendAudit'>;

  constructor(app: AppContext, store: Pick<Store, 'appendAudit'>) {
    this.#app = app;
    this.#store = store;
  }

  /** An entry, for a write that appends it in its own transaction, or for {@link Audit.append}. */
  entry(request: FastifyRequest, { action, target, details }: Change, outcome: string = done): AuditEntry {
    const at = this.#app.clock.now();
    return {
      id: this.#app.entropy.uuid(at),
      at,
      actor: request.principal?.id ?? 'anonymous',
      action,
      target,
      address: addressOf(request),
      outcome,
      requestId: request.id,
      ...(details !== undefined && { details: stringifyJson(this.#app.masker.json(details)) }),
    };
  }

  /** Appends an entry by itself; to be awaited before the change is answered. */
  append(request: FastifyRequest, change: Change, outcome: string = done): Promise<void> {
    return this.#store.appendAudit(this.entry(request, change, outcome));
  }

  /** Makes a change with the context of the request, and records its outcome. */
  async change<T>(
    request: FastifyRequest,
    change: Change,
    make: (app: AppContext) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const app = appFor(this.#app, request.principal, (target) => this.entry(request, { ...change, target }));
    let refused: ErrorCode | undefined;
    try {
      const answer = await make(app);
      if (!answer.ok) refused = answer.code;
      return answer;
    } catch (error) {
      if (error instanceof ApiError) refused = error.code;
      throw error;
    } finally {
      if (refused !== undefined && errorRegistry[refused].status !== 400) await this.append(request, change, refused);
    }
  }
}
