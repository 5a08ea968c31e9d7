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
  /** For example `execution.cancel`. */
  readonly action: string;
  /** Id of the changed object; `''` if the change creates it. */
  readonly target: string;
  /** Details, such as a reason. Secrets are masked before storing, since entries are permanent. */
  readonly details?: JsonObject;
}

/** Outcome of a successful change. */
const done = 'done';

/**
 * The audit log: every change that a caller makes over the API.
 *
 * No change is answered without its entry. If the change is one write of the store, the entry is part of the same
 * transaction. The entry of a refused change is stored before the answer; if that fails, the answer is 503. Invalid
 * requests (400) and requests that the gate refused go to the process log only, so that strangers cannot fill the audit
 * log.
 */
export class Audit {
  readonly #app: AppContext;
  readonly #store: Pick<Store, 'appendAudit'>;

  constructor(app: AppContext, store: Pick<Store, 'appendAudit'>) {
    this.#app = app;
    this.#store = store;
  }

  /** Creates an entry, for a write that stores it in its own transaction, or for {@link Audit.append}. */
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

  /** Stores an entry in a transaction of its own; await it before answering the change. */
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
