import type { PromotionSource, RowCounts, RowPage, SourceRows } from '../../ports/promotion.ts';
import type { DefinitionRecord } from '../../ports/store.ts';
import type { SqliteThread } from './sqlite-thread.ts';

type DefinitionValues = readonly [string, string, string, string, string, number, number];

/** Everything that the embedded store holds, page by page, for a move to another store. */
export class SqliteExport implements PromotionSource {
  readonly #thread: SqliteThread;

  constructor(thread: SqliteThread) {
    this.#thread = thread;
  }

  count(): Promise<RowCounts> {
    return this.#thread.call('exportCounts');
  }

  async read<K extends keyof SourceRows>(kind: K, after?: string): Promise<RowPage<SourceRows[K]>> {
    const page = await this.#thread.call('exportRows', kind, after);
    const rows: readonly unknown[] =
      kind === 'definition' ? page.rows.map((row) => definitionRecord(row as DefinitionValues)) : page.rows;
    return { ...page, rows: rows as readonly SourceRows[K][] };
  }
}

function definitionRecord(row: DefinitionValues): DefinitionRecord {
  const [id, name, version, hash, definition, createdAt, updatedAt] = row;
  return { id, name, version, hash, definition, createdAt, updatedAt };
}
