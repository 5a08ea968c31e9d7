import { fitsGlobs } from '../../src/core/value/name-globs.ts';
import type { DefinitionName, DefinitionRecord, PutDefinitionResult } from '../../src/ports/store.ts';
import type { Page, PageRequest } from '../../src/ports/records.ts';
import { pageOf } from './page.ts';

/** The definitions of the store in memory. */
export class DefinitionTable {
  readonly #records = new Map<string, DefinitionRecord>();

  /** Stores a record unless its id or its name and version are taken. */
  put(record: DefinitionRecord): PutDefinitionResult {
    const sameId = this.#records.get(record.id);
    const found =
      sameId ?? [...this.#records.values()].find((x) => x.name === record.name && x.version === record.version);
    if (found === undefined) {
      this.#records.set(record.id, { ...record });
      return { kind: 'stored', record };
    }
    if (found.hash === record.hash) return { kind: 'identical', record: { ...found } };
    return { kind: 'conflict', by: sameId === undefined ? 'name_version' : 'id' };
  }

  /** Returns the record by id, or by name and version (`latest`: most recently created). */
  get(
    key: { readonly id: string } | { readonly name: string; readonly version: string },
  ): DefinitionRecord | undefined {
    const found =
      'id' in key
        ? this.#records.get(key.id)
        : this.#newest().find((x) => x.name === key.name && (key.version === 'latest' || x.version === key.version));
    return found && { ...found };
  }

  /** Whether a record has this name, version and content. */
  has({
    name,
    version,
    definitionHash,
  }: {
    readonly name: string;
    readonly version: string;
    readonly definitionHash: string;
  }): boolean {
    return this.get({ name, version })?.hash === definitionHash;
  }

  /** Returns a page, newest first by default. Throws BadCursor. */
  list(page: PageRequest, nameGlobs: readonly string[] | undefined): Page<DefinitionRecord> {
    const rows = this.#newest()
      .filter(({ name }) => fitsGlobs(name, nameGlobs))
      .reverse();
    return pageOf(rows, page, {
      kind: 'definition',
      order: 'desc',
      keyOf: (row) => [row.createdAt, row.id],
      lengthOf: ({ definition }) => definition.length,
      show: (row) => ({ ...row }),
    });
  }

  /** Returns a page of names, ascending by default. Throws BadCursor. */
  listNames(page: PageRequest, nameGlobs: readonly string[] | undefined): Page<DefinitionName> {
    const byName = new Map<string, DefinitionRecord[]>();
    for (const record of this.#newest()) {
      if (fitsGlobs(record.name, nameGlobs)) byName.set(record.name, [...(byName.get(record.name) ?? []), record]);
    }
    const rows = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
    return pageOf(rows, page, {
      kind: 'name',
      order: 'asc',
      keyOf: ([name]) => [name],
      lengthOf: ([name]) => name.length,
      show: ([name, [latest, ...others]]) => {
        const { id = '', version = '', createdAt = 0 } = latest ?? {};
        return { name, versions: 1 + others.length, latest: { id, version, createdAt } };
      },
    });
  }

  /** Removes a record; returns whether it existed. */
  delete(id: string): boolean {
    return this.#records.delete(id);
  }

  /** Returns the text of a record with this content hash. */
  textOf(hash: string): string | undefined {
    return [...this.#records.values()].find((x) => x.hash === hash)?.definition;
  }

  #newest(): DefinitionRecord[] {
    return [...this.#records.values()].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  }
}
