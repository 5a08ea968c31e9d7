import type { TemplatePath } from '../../template/path.ts';
import type { Read } from '../compiling.ts';
import type { Draft, NodeDraft } from '../node-draft.ts';
import { quote, type Problems } from '../problems.ts';

/** Whether a node makes no call and has no response, so that only its visit number can be read. */
const isQuiet = ({ kind, fields }: NodeDraft): boolean => kind !== undefined && fields === undefined;

/** Reports reads of fields that a node never has, and warns about fields that the node is known to lack. */
export function checkNodeFields(reads: readonly Read[], draft: Draft, problems: Problems): void {
  for (const { place, path } of reads) {
    const node = path.nodeId === undefined ? undefined : draft.byId.get(path.nodeId);
    if (node?.kind === undefined) continue;
    const { fields = [], missing } = node;
    const read = quote(path.text);
    const id = quote(node.id ?? '');
    if (missing !== undefined && path.root === 'nodes' && missing.fields.includes(path.field ?? '')) {
      problems.warn(place, `${read} is always missing: ${id} ${missing.why}.`);
    }
    if (fields === 'call' || !isNeverThere(path, fields)) continue;
    const has =
      fields.length === 0
        ? 'answers nothing; its visit is all that can be read'
        : `has only ${fields.join(', ')} and visit`;
    problems.error(place, `${read} is never there: ${id} is a ${node.kind}, which ${has}.`);
  }
}

function isNeverThere({ root, field }: TemplatePath, fields: readonly string[]): boolean {
  if (field === 'visit') return root === 'step' && fields.length === 0;
  if (fields.length === 0) return root === 'step' || field !== undefined;
  return root === 'nodes' && field !== undefined && !fields.includes(field);
}

/** The ids of nodes without a response whose visit numbers may be read. */
export function visitsReadOf(reads: readonly Read[], draft: Draft): ReadonlySet<string> {
  const quiet = [...draft.byId].flatMap(([id, node]) => (isQuiet(node) ? [id] : []));
  // A path computed at evaluation time may name any of them.
  if (reads.some(({ path }) => path.text === '')) return new Set(quiet);
  const read = new Set(reads.flatMap(({ path }) => path.nodeId ?? []));
  return new Set(quiet.filter((id) => read.has(id)));
}
