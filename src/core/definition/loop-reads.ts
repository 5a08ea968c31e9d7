import type { Moment, Read } from './compiling.ts';
import { type Layout, loopsAround } from './graph.ts';
import type { Draft } from './node-draft.ts';
import { quote, type Problems } from './problems.ts';

/** Reports reads of nodes within a loop from outside of it: each item has a visit of its own, and none is meant. */
export function checkLoopReads(reads: readonly Read[], draft: Draft, { places }: Layout, problems: Problems): void {
  if (!draft.nodes.some(({ kind }) => kind === 'forEach')) return;
  for (const { place, moment, path } of reads) {
    const { nodeId } = path;
    if (nodeId === undefined || !places.has(nodeId)) continue;
    const around = loopsOf(moment, places);
    const foreign = loopsAround(places.get(nodeId)).find((loop, level) => around[level] !== loop);
    if (foreign === undefined) continue;
    problems.error(
      place,
      `${quote(path.text)} is a node of the forEach ${quote(foreign)}, which visits it for each item; read the items of nodes.${foreign}.response.body instead.`,
    );
  }
}

/** The loops around the place of a read. */
function loopsOf(moment: Moment, places: Layout['places']): readonly string[] {
  switch (moment.kind) {
    case 'during':
    case 'condition':
    case 'compensation':
      return loopsAround(places.get(moment.nodeId));
    case 'collect':
      return [...loopsAround(places.get(moment.nodeId)), moment.nodeId];
    case 'onSuccess':
    case 'onFailure':
      return [];
  }
}
