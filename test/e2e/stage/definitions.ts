/** Definitions for end-to-end tests: every call goes to `<downstream>/<saga>/<node>`, a compensation's to `…/undo-<node>`. */

/** Retries nothing. */
export const once: object = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

/** Retries so often, at once. */
export const retries = (maxAttempts: number, more: object = {}): object => ({
  type: 'retry',
  maxAttempts,
  delayMillis: 1,
  ...more,
});

/** Builds the definition of one saga. */
export class SagaBuilder {
  readonly #base: string;
  readonly name: string;

  constructor(downstreamUrl: string, name: string) {
    this.#base = `${downstreamUrl}/${name}`;
    this.name = name;
  }

  /** A call, POST unless changed. */
  call(path: string, changes: object = {}): object {
    return { url: `${this.#base}/${path}`, verb: 'POST', ...changes };
  }

  /** A synchronous task that has a compensation. */
  task(id: string, changes: object = {}, request: object = {}): object {
    const { action, ...rest } = changes as { action?: object };
    return {
      kind: 'task',
      id,
      action: { mode: 'sync', request: this.call(id, request), ...action },
      compensation: this.call(`undo-${id}`),
      ...rest,
    };
  }

  /** An asynchronous task that has a compensation and is told its signed URL and token. */
  asyncTask(id: string, changes: object = {}, callback: object = {}): object {
    const { action, ...rest } = changes as { action?: object };
    return {
      kind: 'task',
      id,
      action: {
        mode: 'async',
        request: this.call(id, { body: { to: '{{runtime.callback.signedUrl}}', token: '{{runtime.callback.token}}' } }),
        callback: { timeoutMillis: 60_000, ...callback },
        ...action,
      },
      compensation: this.call(`undo-${id}`),
      ...rest,
    };
  }

  /** A graph that begins at its first node. Nothing is retried unless changed. */
  graph(nodes: readonly object[], changes: object = {}): object {
    return {
      name: this.name,
      version: '1',
      failureHandling: once,
      compensationHandling: once,
      entrypoint: (nodes[0] as { id: string }).id,
      nodes,
      ...changes,
    };
  }

  /** A linear definition: steps of these names with compensations. */
  linear(ids: readonly string[], changes: object = {}): object {
    return {
      name: this.name,
      version: '1',
      failureHandling: once,
      compensationHandling: once,
      steps: ids.map((id) => ({ name: id, up: this.call(id), down: this.call(`undo-${id}`) })),
      ...changes,
    };
  }
}
