import type { Json, JsonObject } from '../src/core/value/json.ts';

/** A task as its author wrote it. */
export interface TaskView {
  readonly id: string;
  /** Attempts of its calls and of their compensations. */
  readonly host: string;
  readonly mutating: boolean;
  readonly async: boolean;
  readonly hasCompensation: boolean;
  readonly compensateWhen: 'completed' | 'unknown' | 'attempted';
  readonly hasRoute: boolean;
  /** Which bodies its callbacks understand. */
  readonly callback?: {
    readonly timeoutMillis: number;
    readonly knowsFailure: boolean;
    readonly knowsPending: boolean;
  };
}

/** A node that starts another execution, as its author wrote it. */
export interface StartView {
  readonly waits: boolean;
  /** Whether its compensation takes the child back. */
  readonly takesBack: boolean;
}

/** A definition as its author wrote it. */
export interface DefinitionView {
  readonly name: string;
  readonly version: string;
  readonly entrypoint: string;
  readonly tasks: ReadonlyMap<string, TaskView>;
  /** Nodes that start other executions. */
  readonly starts: ReadonlyMap<string, StartView>;
  /** Nodes within loops over items. */
  readonly bodies: ReadonlySet<string>;
  /** Splits of which the first branch to succeed decides. */
  readonly firsts: ReadonlySet<string>;
  /** By node: the nodes with an edge to it. */
  readonly before: ReadonlyMap<string, ReadonlySet<string>>;
}

const safeVerbs = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Reads what the simulator checks from a valid graph definition, without the compiler under test. */
export function viewOf(definition: JsonObject): DefinitionView {
  const nodes = definition['nodes'] as readonly JsonObject[];
  const tasks = new Map<string, TaskView>();
  const starts = new Map<string, StartView>();
  const before = new Map<string, Set<string>>();
  const firstJoins = new Set(nodes.filter(({ mode }) => mode === 'first').map(({ id }) => id));
  const firsts = new Set<string>();
  for (const node of nodes) {
    const id = node['id'] as string;
    if (node['kind'] === 'task') tasks.set(id, taskView(id, node));
    if (node['kind'] === 'workflow') {
      starts.set(id, { waits: node['wait'] !== false, takesBack: node['compensation'] !== 'none' });
    }
    if (node['kind'] === 'split' && firstJoins.has(node['join'])) firsts.add(id);
    for (const target of targetsOf(node)) before.set(target, (before.get(target) ?? new Set()).add(id));
  }
  return {
    name: definition['name'] as string,
    version: definition['version'] as string,
    entrypoint: definition['entrypoint'] as string,
    tasks,
    starts,
    bodies: bodiesOf(nodes),
    firsts,
    before,
  };
}

function bodiesOf(nodes: readonly JsonObject[]): ReadonlySet<string> {
  const byId = new Map(nodes.map((node) => [node['id'] as string, node]));
  const bodies = new Set<string>();
  const open = nodes.flatMap(({ entry }) => (typeof entry === 'string' ? [entry] : []));
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (bodies.has(id)) continue;
    bodies.add(id);
    const node = byId.get(id);
    if (node !== undefined) open.push(...targetsOf(node));
  }
  return bodies;
}

function taskView(id: string, node: JsonObject): TaskView {
  const action = node['action'] as JsonObject;
  const callback = action['callback'] as JsonObject | undefined;
  const request = action['request'] as JsonObject;
  return {
    id,
    host: new URL(request['url'] as string).hostname,
    mutating: !safeVerbs.has(request['verb'] as string),
    async: action['mode'] === 'async',
    hasCompensation: node['compensation'] !== undefined,
    compensateWhen: (node['compensateWhen'] ?? 'unknown') as TaskView['compensateWhen'],
    hasRoute: node['onFailure'] !== undefined,
    ...(callback !== undefined && {
      callback: {
        timeoutMillis: callback['timeoutMillis'] as number,
        knowsFailure: callback['failureWhen'] !== undefined,
        knowsPending: callback['pendingWhen'] !== undefined,
      },
    }),
  };
}

function targetsOf(node: JsonObject): string[] {
  const cases = (node['cases'] ?? []) as readonly JsonObject[];
  const branches = (node['branches'] ?? []) as readonly Json[];
  // A split's token continues from the join once all branches have ended.
  return [
    node['next'],
    node['onFailure'],
    node['default'],
    node['join'],
    node['entry'],
    ...branches,
    ...cases.map((one) => one['target']),
  ].filter((target): target is string => typeof target === 'string');
}

/** The parts of an Idempotency-Key. Ids in simulations hold no colon. */
export interface KeyParts {
  readonly executionId: string;
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly phase: 'UP' | 'DOWN' | 'HOOK';
  readonly operation: number;
}

/** Splits an Idempotency-Key; throws when it has not the documented form. */
export function keyParts(key: string): KeyParts {
  const match = /^([^:]+):(\d+):([^:]+):(\d+):(UP|DOWN|HOOK)(?:\.(\d+))?$/.exec(key);
  if (match === null) throw new Error(`Not an Idempotency-Key: ${key}.`);
  const [, executionId = '', round, nodeId = '', visit, phase, operation = '1'] = match;
  return {
    executionId,
    round: Number(round),
    nodeId,
    visit: Number(visit),
    phase: phase as KeyParts['phase'],
    operation: Number(operation),
  };
}
