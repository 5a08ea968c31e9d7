/**
 * The timeline of a run while it happens: prints each call and each other step as a line, once, as soon as the server
 * has it.
 */
import { isJsonObject, type JsonObject } from '../../core/value/json.ts';
import type { PagingClient } from '../api-client.ts';
import { Timeline } from './timeline.ts';

/** Rows of one read. */
const pageRows = 200;

/** Reads the rows of a history that were added since the last read. */
class Tail {
  readonly #api: PagingClient;
  readonly #path: string;
  #cursor: string | undefined;
  /** Rows after the cursor that were read before: the last page has no cursor of its own. */
  #known = 0;

  constructor(api: PagingClient, path: string) {
    this.#api = api;
    this.#path = path;
  }

  async read(): Promise<readonly JsonObject[]> {
    const rows: JsonObject[] = [];
    for (;;) {
      const query = new URLSearchParams({ limit: String(pageRows) });
      if (this.#cursor !== undefined) query.set('cursor', this.#cursor);
      const { answer, cursor } = await this.#api.page(`${this.#path}?${query.toString()}`);
      const page = Array.isArray(answer) ? answer.filter(isJsonObject) : [];
      rows.push(...page.slice(this.#known));
      this.#known = cursor === undefined ? page.length : 0;
      if (cursor === undefined) return rows;
      this.#cursor = cursor;
    }
  }
}

/** Lines of one run's timeline, as they come. The calls of a step replace the step itself. */
export class LiveTimeline {
  readonly #steps: Tail;
  readonly #calls: Tail;
  /** Room for the longest phase, for most names, and for a call that succeeded. */
  readonly #timeline = new Timeline({ phase: 8, node: 12, outcome: 15 });

  constructor(api: PagingClient, id: string) {
    this.#steps = new Tail(api, `/workflows/${id}/steps`);
    this.#calls = new Tail(api, `/workflows/${id}/steps/calls`);
  }

  /** The lines for everything that happened since the last call. Throws CliProblem as the client does. */
  async next(): Promise<readonly string[]> {
    // A step is stored together with its call, so the second read includes the calls of steps from the first.
    const steps = await this.#steps.read();
    const calls = await this.#calls.read();
    return this.#timeline.lines({ steps, calls });
  }
}
