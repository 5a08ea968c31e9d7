import { uncopiedAction, type CopiedKind } from '../../../ports/promotion.ts';
import type { Statement } from '../connection/session.ts';
import { promotionColumns } from '../columns/promotion-columns.ts';

const maxRows = 1000;
const maxBytes = 2 * 1024 * 1024;

interface Source {
  /** The row source of the columns of the kind. */
  readonly from: string;
  /** Columns that order the rows, unique together, with their types and start values. */
  readonly key: readonly (readonly [column: string, type: string, start: string | number])[];
  /** Columns whose values may be large. */
  readonly large: readonly string[];
}

const lowestId = '00000000-0000-0000-0000-000000000000';

const ofExecution = ['execution', 'uuid', lowestId] as const;
const byOrd = [ofExecution, ['ord', 'int', -1]] as const;

const sources: Readonly<Record<CopiedKind, Source>> = {
  body: {
    // The numbers of bodies differ between stores, so they are not compared.
    from: 'definition_body',
    key: [
      ['hash', 'text', ''],
      ['name', 'text', ''],
      ['version', 'text', ''],
    ],
    large: ['definition'],
  },
  execution: {
    from: `(
  SELECT e.*, d.hash, d.name, d.version FROM execution e JOIN definition_body d ON d.no = e.body
) pinned`,
    key: [['id', 'uuid', lowestId]],
    large: ['state', 'payload'],
  },
  step: { from: 'step', key: byOrd, large: ['"row"', 'shown', 'call', 'output'] },
  call: { from: 'call', key: byOrd, large: ['"row"'] },
  event: { from: 'inbox', key: [ofExecution, ['id', 'text', '']], large: ['event'] },
  startKey: {
    from: 'start_key',
    key: [
      ['caller', 'text', ''],
      ['key', 'text', ''],
    ],
    large: [],
  },
  audit: {
    from: `(SELECT * FROM audit WHERE action <> '${uncopiedAction}') entries`,
    key: [['id', 'text', '']],
    large: ['details'],
  },
};

/** Text keys are compared bytewise, regardless of the collation of their columns. */
const collated = (type: string): string => (type === 'text' ? ' COLLATE "C"' : '');

function pageSql(kind: CopiedKind): string {
  const { from, key, large } = sources[kind];
  const columns = promotionColumns[kind].map(([name]) => name).join(', ');
  const keys = key.map(([name]) => name).join(', ');
  const after = key.map(([, type], i) => `$${i + 1}::${type}${collated(type)}`).join(', ');
  const [first = '', firstType = ''] = key[0] ?? [];
  const size = ['0', ...large.map((name) => `coalesce(octet_length(${name}), 0)`)].join(' + ');
  // The condition on the first column alone lets the planner skip partitions.
  return `
SELECT json_build_array(${keys})::text AS "cursor", ${columns} FROM (
  SELECT ${columns}, sum(${size}) OVER page - (${size}) AS bytes_before
  FROM (
    SELECT ${columns} FROM ${from}
    WHERE ${first} >= $1::${firstType}${collated(firstType)} AND (${keys}) > (${after})
    ORDER BY ${keys} LIMIT ${maxRows}
  ) found
  WINDOW page AS (ORDER BY ${keys})
) sized
WHERE bytes_before < ${maxBytes}
ORDER BY ${keys}`;
}

/**
 * The statement that reads a page of imported rows back by primary key, to compare them with the source. It starts after the
 * `cursor` of an earlier row, or at the beginning; it returns no rows after the last one. A page is bounded in rows and bytes;
 * Postgres knows sizes without fetching the values.
 */
export function readImportedStatement(kind: CopiedKind, after: string | undefined): Statement {
  const values = after === undefined ? sources[kind].key.map(([, , start]) => start) : (JSON.parse(after) as unknown[]);
  return { name: `read-imported-${kind}`, text: pageSql(kind), values };
}
