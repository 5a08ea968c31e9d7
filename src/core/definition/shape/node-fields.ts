import type { TemplatePath } from '../../template/template.ts';
import type { Draft, NodeDraft } from '../draft.ts';
import { quote, type Problems } from '../problems.ts';
import type { Read } from '../warnings/reads.ts';
import { present } from './shape-check.ts';

/** Fields of `nodes.<id>` that joins have. The response of a join consists of the results of its branches. */
const joinFields: ReadonlySet<string> = new Set(['response', 'visit']);

/** Whether a node makes no call and has no response, so that only its visit number can be read. */
const isQuiet = ({ kind }: NodeDraft): boolean => kind !== undefined && kind !== 'task' && kind !== 'join';

/** Reports reads of fields that a node never has, and warns about fields that a task never has in its mode. */
export function checkNodeFields(reads: readonly Read[], draft: Draft, problems: Problems): void {
  for (const { place, path } of reads) {
    const node = path.nodeId === undefined ? undefined : draft.byId.get(path.nodeId);
    if (node?.kind === undefined) continue;
    const read = quote(path.text);
    if (node.kind === 'task') {
      const isSync = present(node.action.json, 'mode') !== 'async';
      if (isSync && path.root === 'nodes' && (path.field === 'accepted' || path.field === 'callback')) {
        problems.warn(place, `${read} is always missing: ${quote(node.id ?? '')} is not asynchronous.`);
      }
      continue;
    }
    if (!isNeverThere(path, node)) continue;
    const has = isQuiet(node) ? 'answers nothing; its visit is all that can be read' : 'has only response and visit';
    problems.error(place, `${read} is never there: ${quote(node.id ?? '')} is a ${node.kind}, which ${has}.`);
  }
}

function isNeverThere({ root, field }: TemplatePath, node: NodeDraft): boolean {
  if (!isQuiet(node)) return root === 'nodes' && field !== undefined && !joinFields.has(field);
  return root === 'step' || (field !== undefined && field !== 'visit');
}

/** The ids of nodes without a response whose visit numbers may be read. */
export function visitsReadOf(reads: readonly Read[], draft: Draft): ReadonlySet<string> {
  const quiet = [...draft.byId].flatMap(([id, node]) => (isQuiet(node) ? [id] : []));
  // A path computed at evaluation time may name any of them.
  if (reads.some(({ path }) => path.text === '')) return new Set(quiet);
  const read = new Set(reads.flatMap(({ path }) => path.nodeId ?? []));
  return new Set(quiet.filter((id) => read.has(id)));
}
