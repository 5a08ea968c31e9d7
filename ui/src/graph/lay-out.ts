import { Graph as Layered, layout } from '@dagrejs/dagre';
import type { Graph, GraphNode, LoopBox } from './model.ts';
import type { LooseNode, ReadGraph } from './read-graph.ts';

const sizes: Readonly<Record<string, readonly [number, number]>> = {
  split: [128, 7],
  join: [128, 7],
  switch: [148, 30],
  sleep: [128, 36],
  fail: [148, 36],
};
const usualSize = [148, 40] as const;

const sizeOf = ({ kind }: LooseNode): readonly [number, number] => sizes[kind] ?? usualSize;

const margin = 14;
const label = { width: 56, height: 14 };

/** Gives every node its place, top down. Bars of splits and joins are as wide as what they hold together. */
export function layOut(read: Extract<ReadGraph, { ok: true }>): Graph {
  const layered = new Layered({ multigraph: true });
  layered.setGraph({ rankdir: 'TB', nodesep: 22, ranksep: 26, edgesep: 14, marginx: margin, marginy: margin });
  layered.setDefaultEdgeLabel(() => ({}));
  for (const node of read.nodes) {
    const [width, height] = sizeOf(node);
    layered.setNode(node.id, { width, height });
  }
  for (const edge of read.edges) {
    layered.setEdge(edge.from, edge.to, edge.label === undefined ? {} : { ...label, labelpos: 'c' }, edge.id);
  }
  layout(layered);
  const placed = new Map<string, GraphNode>();
  for (const node of read.nodes) {
    const { x = 0, y = 0, width = 0, height = 0 } = layered.node(node.id) as Partial<Record<string, number>>;
    placed.set(node.id, { ...node, x: x - width / 2, y: y - height / 2, width, height });
  }
  for (const node of placed.values()) {
    if (node.kind !== 'split' && node.kind !== 'join') continue;
    const others = read.edges
      .filter(({ from, to }) => (node.kind === 'split' ? from : to) === node.id)
      .map(({ from, to }) => placed.get(node.kind === 'split' ? to : from))
      .filter((other) => other !== undefined);
    if (others.length === 0) continue;
    const left = Math.min(...others.map(({ x }) => x));
    const right = Math.max(...others.map(({ x, width }) => x + width));
    placed.set(node.id, { ...node, x: left, width: right - left });
  }
  const nodes = [...placed.values()];
  return {
    nodes,
    edges: read.edges,
    loops: loopsOf(nodes),
    width: Math.max(0, ...nodes.map(({ x, width }) => x + width)) + margin,
    height: Math.max(0, ...nodes.map(({ y, height }) => y + height)) + margin,
    hooks: read.hooks,
    warnings: read.warnings,
    requiredPayload: read.requiredPayload,
  };
}

/** Space between the box of a loop and its nodes. */
const loopPadding = 12;

/** A box around the nodes of each loop, so that its body is seen as one. */
function loopsOf(nodes: readonly GraphNode[]): readonly LoopBox[] {
  const bodies = Map.groupBy(
    nodes.filter(({ loop }) => loop !== undefined),
    ({ loop }) => loop ?? '',
  );
  return [...bodies].map(([id, body]) => {
    const x = Math.min(...body.map((node) => node.x)) - loopPadding;
    const y = Math.min(...body.map((node) => node.y)) - loopPadding;
    const right = Math.max(...body.map((node) => node.x + node.width)) + loopPadding;
    const bottom = Math.max(...body.map((node) => node.y + node.height)) + loopPadding + 10;
    return { id, x, y, width: right - x, height: bottom - y };
  });
}
