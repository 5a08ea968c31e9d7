import {
  BaseEdge,
  type Edge,
  EdgeLabelRenderer,
  type EdgeProps,
  getSmoothStepPath,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { memo, type ReactNode, useEffect, useMemo } from 'react';
import type { Graph, GraphEdge, GraphNode } from '../../graph/model.ts';
import { Icon } from '../../parts/icon.tsx';
import { outcomeLook, stateLook } from '../../parts/words.ts';
import { durationText } from '../../platform/times.ts';
import { type NodeView, nodeTone } from './node-views.ts';
import { orderClass } from './undo-order.ts';

/** What a node component is given. */
interface NodeData extends Record<string, unknown> {
  readonly node: GraphNode;
  readonly view: NodeView | undefined;
  readonly isPicked: boolean;
  readonly isPlain: boolean;
}

const icons: Readonly<Record<string, string>> = {
  task: 'k-task',
  async: 'k-async',
  switch: 'k-switch',
  sleep: 'k-sleep',
  split: 'k-split',
  join: 'k-join',
  fail: 'k-fail',
};

const shapes: Readonly<Record<string, string>> = { switch: 'switch', sleep: 'pill', split: 'gate', join: 'gate below' };

/** The icon of a node: of what it does now, of its outcome, or of its kind. */
function lookOf({ kind }: GraphNode, view: NodeView | undefined): { icon: string; tone: string } {
  if (view?.place !== undefined) return stateLook(view.place.state);
  const isCall = kind === 'task' || kind === 'async' || kind === 'workflow';
  if (view?.outcome !== undefined && isCall) return outcomeLook(view.outcome);
  return { icon: icons[kind] ?? 'k-task', tone: '' };
}

/** One node. It is drawn anew only when what it shows has changed. */
const RunNode = memo(function RunNode({ data }: NodeProps<Node<NodeData>>): ReactNode {
  const { node, view, isPicked, isPlain } = data;
  const { icon, tone } = lookOf(node, view);
  const shape = shapes[node.kind] ?? '';
  const state = isPlain ? 'plain' : nodeTone(view);
  const place = view?.place;
  return (
    <>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className={`node ${shape} ${state}${isPicked ? ' is-picked' : ''}`} title={`${node.id}: ${node.line}`}>
        <span className={`t ${tone}`}>
          <Icon name={icon} />
          <span className="cut">{node.id}</span>
          {node.undo !== undefined && isPlain && (
            <span className="push back-mark">
              <Icon name="undone" />
            </span>
          )}
          {view?.durationMillis !== undefined && shape === '' && (
            <span className="push">
              {view.attempts > 1 && view.visits === 1 ? `×${String(view.attempts)}` : durationText(view.durationMillis)}
            </span>
          )}
        </span>
        {shape !== 'gate' && shape !== 'gate below' && node.kind !== 'switch' && (
          <span className="s">{place === undefined ? node.line : place.state}</span>
        )}
        {view?.undo !== undefined && (
          <span className={`order ${orderClass[view.undo.state]}`} title={`undo ${String(view.undo.order)}`}>
            {view.undo.order}
          </span>
        )}
        {view !== undefined && view.visits > 1 && <span className="visits">×{view.visits}</span>}
      </div>
      {view?.stands !== undefined && (
        <span className="stand-tag">
          <Icon name="stands" small />
          STANDS
        </span>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </>
  );
});

interface EdgeData extends Record<string, unknown> {
  readonly edge: GraphEdge;
  readonly tone: string;
  readonly isFromBar: boolean;
  readonly isToBar: boolean;
}

/** A way between two nodes, with its label on it. */
function RunEdge({ sourceX, sourceY, targetX, targetY, data, markerEnd }: EdgeProps<Edge<EdgeData>>): ReactNode {
  // A bar of a split or a join is wide: a way meets it above or below its other end.
  const fromX = data?.isFromBar === true ? targetX : sourceX;
  const [path, x, y] = getSmoothStepPath({
    sourceX: fromX,
    sourceY,
    targetX: data?.isToBar === true ? fromX : targetX,
    targetY,
    sourcePosition: Position.Bottom,
    targetPosition: Position.Top,
    borderRadius: 6,
  });
  return (
    <>
      <BaseEdge path={path} className={`edge ${data?.tone ?? ''}`} {...(markerEnd !== undefined && { markerEnd })} />
      {data?.edge.label !== undefined && (
        <EdgeLabelRenderer>
          <span
            className={`edge-label ${data.tone}`}
            style={{ transform: `translate(-50%, -50%) translate(${String(x)}px, ${String(y)}px)` }}
          >
            {data.edge.label}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

/** The box of a loop's body, behind its nodes. */
function LoopNode({ data }: NodeProps<Node<{ readonly name: string }>>): ReactNode {
  return <div className="loop-box">for each item of {data.name}</div>;
}

const nodeTypes = { run: RunNode, loop: LoopNode };
const edgeTypes = { run: RunEdge };

/** What the graph is given. */
export interface RunGraphProps {
  readonly graph: Graph;
  /** By node; undefined for a definition, which has no run. */
  readonly views?: ReadonlyMap<string, NodeView> | undefined;
  readonly picked?: string | undefined;
  readonly onPick?: ((nodeId: string) => void) | undefined;
  /** Nodes that come into sight when the number changes. */
  readonly focus?: { readonly nodeId: string; readonly count: number } | undefined;
}

/** The pinned definition, top down, with what the run did at each node. */
export function RunGraph(props: RunGraphProps): ReactNode {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function loopNode({ id, x, y, width, height }: Graph['loops'][number]): Node {
  return {
    id: `loop ${id}`,
    type: 'loop',
    position: { x, y },
    width,
    height,
    zIndex: -1,
    selectable: false,
    focusable: false,
    draggable: false,
    data: { name: id },
  };
}

function Flow({ graph, views, picked, onPick, focus }: RunGraphProps): ReactNode {
  const flow = useReactFlow();
  const nodes = useMemo(
    (): Node[] => [
      ...graph.loops.map(loopNode),
      ...graph.nodes.map((node): Node<NodeData> => ({
        id: node.id,
        type: 'run',
        position: { x: node.x, y: node.y },
        width: node.width,
        height: node.height,
        draggable: false,
        connectable: false,
        focusable: true,
        ariaLabel: describe(node, views?.get(node.id), views === undefined),
        data: { node, view: views?.get(node.id), isPicked: node.id === picked, isPlain: views === undefined },
      })),
    ],
    [graph, views, picked],
  );
  const kinds = useMemo(() => new Map(graph.nodes.map(({ id, kind }) => [id, kind])), [graph]);
  const edges = useMemo(
    () =>
      graph.edges.map((edge): Edge<EdgeData> => {
        const isTaken = views !== undefined && views.has(edge.from) && views.has(edge.to) && edge.kind === 'next';
        const tone = isTaken ? 'taken' : edge.kind === 'next' && views === undefined ? '' : 'not';
        return {
          id: edge.id,
          source: edge.from,
          target: edge.to,
          type: 'run',
          data: { edge, tone, isFromBar: kinds.get(edge.from) === 'split', isToBar: kinds.get(edge.to) === 'join' },
          focusable: false,
          markerEnd: {
            type: MarkerType.ArrowClosed,
            width: 12,
            height: 12,
            color: isTaken ? 'var(--ink)' : 'var(--line-3)',
          },
        };
      }),
    [graph, views, kinds],
  );
  useEffect(() => {
    if (focus !== undefined) void flow.fitView({ nodes: [{ id: focus.nodeId }], maxZoom: 1, minZoom: 1 });
  }, [flow, focus]);
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={nodeTypes}
      edgeTypes={edgeTypes}
      fitView
      fitViewOptions={{ maxZoom: 1, minZoom: 0.35, padding: 0.04 }}
      minZoom={0.1}
      maxZoom={1.6}
      nodesDraggable={false}
      nodesConnectable={false}
      elementsSelectable
      zoomOnDoubleClick={false}
      proOptions={{ hideAttribution: true }}
      onNodeClick={(_event, { id, type }) => {
        if (type === 'run') onPick?.(id);
      }}
      onSelectionChange={({ nodes: [first] }) => {
        if (first !== undefined && first.id !== picked) onPick?.(first.id);
      }}
    />
  );
}

/** A node in words, for readers who do not see it. */
function describe({ id, kind, line }: GraphNode, view: NodeView | undefined, isPlain: boolean): string {
  const said = [id, kind, line];
  if (isPlain) return said.filter((part) => part !== '').join(', ');
  if (view === undefined) return [...said, 'not reached'].join(', ');
  if (view.place !== undefined) said.push(view.place.state);
  else if (view.outcome !== undefined) said.push(view.outcome);
  if (view.visits > 1) said.push(`${String(view.visits)} visits`);
  if (view.attempts > 1) said.push(`${String(view.attempts)} attempts`);
  if (view.undo !== undefined) said.push(`undo ${String(view.undo.order)} ${view.undo.state}`);
  if (view.stands !== undefined) said.push(`stands, ${view.stands}`);
  return said.filter((part) => part !== '').join(', ');
}
