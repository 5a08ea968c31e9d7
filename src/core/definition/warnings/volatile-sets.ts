import type { NodePlan } from '../../plan.ts';
import type { Read } from '../compiling.ts';
import { quote, type Problems } from '../problems.ts';

/**
 * Warns about requests that read a `set` with `now` or `uuid`. A set is visited anew in each round, so the request is
 * another one then, and an effect that stands from an earlier round is made again under a new key.
 */
export function warnOfVolatileSets(reads: readonly Read[], nodes: readonly NodePlan[], problems: Problems): void {
  const volatile = new Set(nodes.flatMap((node) => (isVolatileSet(node) ? node.id : [])));
  if (volatile.size === 0) return;
  const making = new Set(nodes.flatMap((node) => (makesEffects(node) ? node.id : [])));
  for (const { place, moment, path } of reads) {
    if (moment.kind !== 'during' || !making.has(moment.nodeId)) continue;
    const { nodeId, field } = path;
    // Headers do not count when two requests are compared.
    if (nodeId === undefined || field === 'visit' || !volatile.has(nodeId) || place.includes('.headers')) continue;
    problems.warn(
      place,
      `${quote(nodeId)} reads now or uuid, which differ in each round, so that a retry makes an effect again that stands; compute them here instead.`,
    );
  }
}

function isVolatileSet(node: NodePlan): boolean {
  return node.kind === 'set' && node.body.template.usesOccasion;
}

function makesEffects(node: NodePlan): boolean {
  return node.kind === 'workflow' || (node.kind === 'task' && node.call.mutating);
}
