import type { AuditEntry } from '../audit.ts';
import type { Page, PageRequest } from '../records.ts';

/** A stored definition. */
export interface DefinitionRecord {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  /** JSON text as submitted. */
  readonly definition: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A name with its stored definitions. */
export interface DefinitionName {
  readonly name: string;
  /** Number of its versions. */
  readonly versions: number;
  /** The version that was created last. */
  readonly latest: Pick<DefinitionRecord, 'id' | 'version' | 'createdAt'>;
}

/** The result of a put. `identical`: a record with the same content exists; `conflict`: one with other content exists. */
export type PutDefinitionResult =
  | { readonly kind: 'stored' | 'identical'; readonly record: DefinitionRecord }
  | { readonly kind: 'conflict'; readonly by: 'id' | 'name_version' };

/** The stored definitions, and the definition texts that executions are pinned to. */
export interface DefinitionStore {
  /**
   * Stores a definition. `id` decides identity for PUT. Appends `audit` in the same transaction when the result is `stored`.
   */
  putDefinition(record: DefinitionRecord, audit?: AuditEntry): Promise<PutDefinitionResult>;
  /** The record by id, or by name and version (`latest`: most recently created). */
  getDefinition(
    key: { readonly id: string } | { readonly name: string; readonly version: string },
  ): Promise<DefinitionRecord | undefined>;
  /** Newest first. `nameGlobs` as in {@link ExecutionFilter}. */
  listDefinitions(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionRecord>>;
  /** By name, ascending unless asked otherwise. `nameGlobs` as in {@link ExecutionFilter}. */
  listDefinitionNames(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionName>>;
  /**
   * Removes the record if it exists; executions keep their pinned definition. Appends `audit` in the same transaction when a
   * record was removed.
   */
  deleteDefinition(id: string, audit?: AuditEntry): Promise<void>;
  /** Definition text by content hash, as pinned by executions; undefined when no execution or record has it. */
  getDefinitionBody(hash: string): Promise<string | undefined>;
}
