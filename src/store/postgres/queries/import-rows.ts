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
  const names = columns.map(([name]) => name).join(', ');
  // Of which rounds an execution still finds effects is not known here: all of them have an entry in that index.
  const [column, value] = kind === 'step' ? [', earlier', ', i.effect IS NOT NULL'] : ['', ''];
  return `
INSERT INTO ${tables[kind]} (${names}${column}) SELECT i.*${value} FROM ${columnSource(columns)} AS i (${names})
ON CONFLICT DO NOTHING`;
}

const executionColumns = promotionColumns.execution;
const names = executionColumns.map(([name]) => name);
/** Columns of `execution`; those of the pinned definition are in `definition_body`. */
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

/**
 * The statement that writes a batch of rows from another store. Existing rows stay unchanged, so a batch may be repeated.
 *
 * Executions are written without due time and claim, so no worker takes them over before the activation. Their definition
 * bodies must be written first: an execution without its body is skipped, which the verification detects.
 *
 * Throws a RangeError when a value does not fit its column.
 */
export function importStatement(kind: CopiedKind, rows: readonly (readonly Value[])[]): Statement {
  const values = columnParameters(promotionColumns[kind], rows);
  if (kind !== 'execution') return { name: `import-${kind}`, text: insertSql(kind), values };
  return { name: 'import-execution', text: executionSql, values: [...values, ...labelParameters(rows)] };
}
