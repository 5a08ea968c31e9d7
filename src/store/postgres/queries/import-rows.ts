/**
 * Writes rows of another store, a batch in one statement. Rows that are there already stay as they are, so that a batch may
 * be sent again.
 *
 * Executions come without due time and claim: no worker takes them over until they are activated. They must come after what
 * they are pinned to; one whose definition is missing is left out, which the verification finds.
 */
import type { CopiedKind } from '../../../ports/promotion.ts';
import { decodeLabels } from '../../row-text.ts';
import { textArray, uuidArray } from '../columns/binary-array.ts';
import type { Statement } from '../connection/session.ts';
import { columnParameters, columnSource, promotionColumns, type Value } from '../columns/promotion-columns.ts';
import { encodeText } from '../columns/text-column.ts';

const tables = {
  body: 'definition_body',
  step: 'step',
  call: 'call',
  event: 'inbox',
  startKey: 'start_key',
  audit: 'audit',
} as const;

function insertSql(kind: keyof typeof tables): string {
  const columns = promotionColumns[kind];
  return `
INSERT INTO ${tables[kind]} (${columns.map(([name]) => name).join(', ')}) SELECT * FROM ${columnSource(columns)}
ON CONFLICT DO NOTHING`;
}

const executionColumns = promotionColumns.execution;
const names = executionColumns.map(([name]) => name);
/** What an execution is pinned to is another table's. */
const ownNames = names.filter((name) => !['hash', 'name', 'version'].includes(name));
const firstLabelParameter = executionColumns.length + 1;

const executionSql = `
WITH labels AS (
  INSERT INTO label (execution, key, value)
  SELECT * FROM unnest($${firstLabelParameter}::uuid[], $${firstLabelParameter + 1}::text[], $${firstLabelParameter + 2}::text[])
  ON CONFLICT DO NOTHING
)
INSERT INTO execution (body, ${ownNames.join(', ')})
SELECT d.no, ${ownNames.map((name) => `i.${name}`).join(', ')}
FROM ${columnSource(executionColumns)} AS i (${names.join(', ')})
JOIN definition_body d ON d.hash = i.hash AND d.name = i.name AND d.version = i.version
ON CONFLICT DO NOTHING`;

const idColumn = names.indexOf('id');
const labelsColumn = names.indexOf('labels');

function labelParameters(rows: readonly (readonly Value[])[]): Buffer[] {
  const labels = rows.flatMap((row) =>
    Object.entries(decodeLabels(row[labelsColumn] as string | null)).map(([key, value]) => ({
      id: row[idColumn] as string,
      key,
      value,
    })),
  );
  return [
    uuidArray(labels.map(({ id }) => id)),
    textArray(labels.map(({ key }) => encodeText(key))),
    textArray(labels.map(({ value }) => encodeText(value))),
  ];
}

/** The statement that writes these rows. Throws a RangeError when a value does not fit its column. */
export function importStatement(kind: CopiedKind, rows: readonly (readonly Value[])[]): Statement {
  const values = columnParameters(promotionColumns[kind], rows);
  if (kind !== 'execution') return { name: `import-${kind}`, text: insertSql(kind), values };
  return { name: 'import-execution', text: executionSql, values: [...values, ...labelParameters(rows)] };
}
