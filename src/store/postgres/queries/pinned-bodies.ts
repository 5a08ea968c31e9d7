import type { NewExecution } from '../../../ports/store.ts';
import { textArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import { decodeText, encodeJsonText, encodeText } from '../columns/text-column.ts';

/** The definition that an execution is pinned to. */
export type Pinned = Pick<NewExecution, 'definitionHash' | 'name' | 'version' | 'definition'>;

const insertSql = `
INSERT INTO definition_body (hash, name, version, definition)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (hash, name, version) DO NOTHING`;

const selectSql = `
SELECT d.* FROM unnest($1::text[], $2::text[], $3::text[]) AS i (hash, name, version) CROSS JOIN LATERAL (
  SELECT no, hash, name, version FROM definition_body
  WHERE hash = i.hash AND name = i.name AND version = i.version OFFSET 0
) d`;

/** Maximum number of cached definition numbers. */
const maxRemembered = 5000;

function keyOf(hash: string, name: string, version: string): string {
  return JSON.stringify([hash, name, version]);
}

/**
 * The definitions that executions are pinned to: each name, version and content is stored once and has a number. The numbers
 * are cached; the submit statement detects a definition that retention has removed meanwhile.
 */
export class PinnedBodies {
  readonly #connections: Connections;
  readonly #numbers = new Map<string, number>();

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** Returns the numbers of the definitions, in order; stores definitions without a cached number. */
  async numbers(wanted: readonly Pinned[]): Promise<readonly number[]> {
    const keys = wanted.map(({ definitionHash, name, version }) => keyOf(definitionHash, name, version));
    const missing = new Map<string, Pinned>();
    for (const [i, key] of keys.entries()) if (!this.#numbers.has(key)) missing.set(key, wanted[i] as Pinned);
    const known = keys.map((key) => this.#numbers.get(key));
    if (missing.size === 0) return known.map((no) => no ?? -1);
    // Known numbers are read before the await because `forget` may run meanwhile.
    const stored = await this.#store([...missing.entries()].sort(([a], [b]) => (a < b ? -1 : 1)));
    return keys.map((key, i) => known[i] ?? stored.get(key) ?? -1);
  }

  /** Forgets numbers that are no longer stored. */
  forget(numbers: ReadonlySet<number>): void {
    for (const [key, no] of this.#numbers) if (numbers.has(no)) this.#numbers.delete(key);
  }

  async #store(missing: readonly (readonly [string, Pinned])[]): Promise<ReadonlyMap<string, number>> {
    const bodies = missing.map(([, body]) => body);
    const columns = [
      textArray(bodies.map(({ definitionHash }) => encodeText(definitionHash))),
      textArray(bodies.map(({ name }) => encodeText(name))),
      textArray(bodies.map(({ version }) => encodeText(version))),
    ];
    const texts = textArray(bodies.map(({ definition }) => encodeJsonText(definition)));
    await this.#connections.query('short', { text: insertSql, values: [...columns, texts] });
    const rows = await this.#connections.query<{ no: number; hash: string; name: string; version: string }>('short', {
      text: selectSql,
      values: columns,
    });
    if (this.#numbers.size + rows.length > maxRemembered) this.#numbers.clear();
    const stored = new Map(
      rows.map(({ no, hash, name, version }) => [keyOf(decodeText(hash), decodeText(name), decodeText(version)), no]),
    );
    for (const [key, no] of stored) this.#numbers.set(key, no);
    return stored;
  }
}
