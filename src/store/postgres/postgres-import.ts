import {
  targetMarkSetting,
  type Activation,
  type CopiedKind,
  type CopiedRows,
  type PromotionTarget,
  type RowPage,
  type TargetMark,
  type TargetState,
} from '../../ports/promotion.ts';
import type { DefinitionRecord } from '../../ports/store.ts';
import { int8Array, textArray, uuidArray } from './columns/binary-array.ts';
import type { Connections } from './connection/connections.ts';
import type { Session } from './connection/session.ts';
import { decodeRow, promotionColumns, type Value } from './columns/promotion-columns.ts';
import { importStatement } from './queries/import-rows.ts';
import { readImportedStatement } from './queries/read-imported.ts';
import { encodeJsonText, encodeText } from './columns/text-column.ts';

const markSql = `SELECT value FROM setting WHERE key = '${targetMarkSetting}'`;

const ensureMarkSql = `
INSERT INTO setting (key, value) VALUES ('${targetMarkSetting}', '{"phase":"none","id":""}') ON CONFLICT (key) DO NOTHING`;

const setMarkSql = `UPDATE setting SET value = $1 WHERE key = '${targetMarkSetting}'`;

const occupiedSql = `
SELECT EXISTS (SELECT 1 FROM execution) OR EXISTS (SELECT 1 FROM start_key) OR EXISTS (SELECT 1 FROM step)
  OR EXISTS (SELECT 1 FROM call) OR EXISTS (SELECT 1 FROM inbox) AS occupied`;

const othersSql = `
SELECT count(*) AS others FROM pg_stat_activity
WHERE datname = current_database() AND (application_name = 'trama' OR application_name LIKE 'trama-promote-%')
  AND application_name <> current_setting('application_name')`;

// Without executions, nothing refers to definition_body.
const emptySql = 'TRUNCATE execution, label, step, call, inbox, start_key, definition_body, garbage, dropped_range';

const definitionSource = `
unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
  AS i (id, name, version, hash, definition, created_at, updated_at)`;

const conflictsSql = `
SELECT DISTINCT i.id FROM ${definitionSource}
JOIN definition d ON d.id = i.id OR (d.name = i.name AND d.version = i.version)
WHERE (d.id, d.name, d.version, d.hash, d.definition, d.created_at, d.updated_at)
  IS DISTINCT FROM (i.id, i.name, i.version, i.hash, i.definition, i.created_at, i.updated_at)`;

const definitionsSql = `
INSERT INTO definition (id, name, version, hash, definition, created_at, updated_at)
SELECT * FROM ${definitionSource} ON CONFLICT DO NOTHING`;

const settingsSql = `
INSERT INTO setting (key, value) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT (key) DO UPDATE SET value = excluded.value`;

const dueSql = `
UPDATE execution e SET due_at = i.due_at FROM unnest($1::uuid[], $2::bigint[]) AS i (id, due_at)
WHERE e.id = i.id`;

function definitionParameters(records: readonly DefinitionRecord[]): Buffer[] {
  return [
    textArray(records.map(({ id }) => encodeText(id))),
    textArray(records.map(({ name }) => encodeText(name))),
    textArray(records.map(({ version }) => encodeText(version))),
    textArray(records.map(({ hash }) => encodeText(hash))),
    textArray(records.map(({ definition }) => encodeJsonText(definition))),
    int8Array(records.map(({ createdAt }) => createdAt)),
    int8Array(records.map(({ updatedAt }) => updatedAt)),
  ];
}

async function readMark(session: Session, lock: '' | 'FOR UPDATE'): Promise<TargetMark> {
  const [row] = await session.query<{ value: string }>({ text: `${markSql} ${lock}` });
  return row === undefined ? { phase: 'none', id: '' } : (JSON.parse(row.value) as TargetMark);
}

async function writeMark(session: Session, mark: TargetMark): Promise<TargetMark> {
  await session.query({ text: setMarkSql, values: [JSON.stringify(mark)] });
  return mark;
}

async function stateWith(session: Session, mark: TargetMark): Promise<TargetState> {
  const [occupation] = await session.query<{ occupied: boolean }>({ text: occupiedSql });
  const [activity] = await session.query<{ others: number }>({ text: othersSql });
  return { mark, isOccupied: occupation?.occupied === true, others: activity?.others ?? 0 };
}

async function conflictsOf(session: Session, records: readonly DefinitionRecord[]): Promise<DefinitionRecord[]> {
  const values = definitionParameters(records);
  const found = await session.query<{ id: string }>({ name: 'import-conflicts', text: conflictsSql, values });
  const ids = new Set(found.map(({ id }) => id));
  return records.filter(({ id }) => ids.has(encodeText(id)));
}

/**
 * Postgres as the target of a promotion.
 *
 * A setting has its mark: absent, `none` or `taken-back` (free), `copying` (being filled; no server starts on it, see
 * `compose/promotion-guard.ts`), `done` (activated). Only {@link PostgresImport.begin} enters `copying`; only `activate`
 * leaves it for `done`, and only `takeBack` for `taken-back`. Each transaction locks the mark's row, so of two concurrent ones
 * the second waits and then sees the result of the first.
 */
export class PostgresImport implements PromotionTarget {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  look(): Promise<TargetState> {
    return this.#connections.transaction('long', async (session) => stateWith(session, await readMark(session, '')));
  }

  begin(id: string): Promise<TargetState> {
    return this.#connections.transaction('long', async (session) => {
      await session.query({ text: ensureMarkSql });
      const mark = await readMark(session, 'FOR UPDATE');
      const state = await stateWith(session, mark);
      const isFree = mark.phase === 'none' || mark.phase === 'taken-back' || (mark.phase === 'done' && mark.id !== id);
      if (!isFree || state.isOccupied) return state;
      await session.query({ text: emptySql });
      return { ...state, mark: await writeMark(session, { phase: 'copying', id }) };
    });
  }

  conflicts(records: readonly DefinitionRecord[]): Promise<readonly DefinitionRecord[]> {
    return this.#connections.transaction('long', (session) => conflictsOf(session, records));
  }

  async write<K extends CopiedKind>(kind: K, rows: readonly CopiedRows[K][]): Promise<void> {
    await this.#connections.query('long', importStatement(kind, rows));
  }

  async read<K extends CopiedKind>(kind: K, after?: string): Promise<RowPage<CopiedRows[K]>> {
    const found = await this.#connections.query<Record<string, Value>>('long', readImportedStatement(kind, after));
    const columns = promotionColumns[kind];
    const names = columns.map(([name]) => name.replaceAll('"', ''));
    const rows = found.map((row) =>
      decodeRow(
        columns,
        names.map((name) => row[name]),
      ),
    ) as readonly Value[][] as unknown as readonly CopiedRows[K][];
    const last = found.at(-1);
    return last === undefined ? { rows } : { rows, next: last['cursor'] as string };
  }

  activate(id: string, activation: Activation): Promise<void> {
    return this.#connections.transaction('long', async (session) => {
      const mark = await readMark(session, 'FOR UPDATE');
      if (mark.id === id && mark.phase === 'done') return;
      if (mark.id !== id || mark.phase !== 'copying')
        throw new Error('The target is no longer part of this promotion.');
      for await (const records of activation.definitions()) {
        await session.query({ text: definitionsSql, values: definitionParameters(records) });
        const conflicts = await conflictsOf(session, records);
        if (conflicts.length > 0) throw new Error('The target got other definitions of the same names meanwhile.');
      }
      for await (const settings of activation.settings()) {
        const keys = textArray(settings.map(([key]) => encodeText(key)));
        await session.query({ text: settingsSql, values: [keys, textArray(settings.map(([, v]) => encodeText(v)))] });
      }
      for await (const due of activation.due()) {
        const values = [uuidArray(due.map(([one]) => one)), int8Array(due.map(([, at]) => at))];
        await session.query({ name: 'import-due', text: dueSql, values });
      }
      await writeMark(session, { phase: 'done', id });
    });
  }

  takeBack(id: string): Promise<TargetMark> {
    return this.#connections.transaction('long', async (session) => {
      const mark = await readMark(session, 'FOR UPDATE');
      if (mark.id !== id || mark.phase !== 'copying') return mark;
      await session.query({ text: emptySql });
      return writeMark(session, { phase: 'taken-back', id });
    });
  }
}
