/** Finds the call of a definition that an incoming request belongs to. */
import type { CallPhase } from '../../core/context/context.ts';
import type { CallPlan, Plan } from '../../core/plan.ts';
import type { Definitions } from '../../scenario/definitions.ts';
import { callNames, type NodePath } from '../../scenario/names.ts';
import { isCalledBack } from '../../scenario/play/downstream.ts';

/** One call of a definition, as a downstream sees it. */
export interface MockRoute {
  /** `charge:UP`, or `ship/reserve:UP` of a definition that the node `ship` starts. */
  readonly name: string;
  readonly nodeId: string;
  readonly phase: CallPhase;
  readonly call: CallPlan;
  /** Whether it is the request of an async node. */
  readonly isAsync: boolean;
  readonly verb: string;
  /** The path for people, with `*` for every part from a template. */
  readonly path: string;
  readonly pattern: RegExp;
  /** Name of the variable at the beginning of the URL, if there is one. */
  readonly base?: string;
  /** Scheme and authority, where the URL names them: such a call never reaches a mock. */
  readonly origin?: string;
}

/** Levels of runs below each other, as on a server. */
const maxDepth = 10;

/**
 * All calls of a definition and of those that its nodes start, those with the most literal paths first. What a definition that is started
 * twice calls is named after the first node.
 */
export function routesOf(definitions: Definitions): readonly MockRoute[] {
  const routes: MockRoute[] = [];
  const seen = new Set<Plan>();
  let level: { readonly plan: Plan; readonly path: NodePath }[] = [{ plan: definitions.root, path: [] }];
  for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { plan, path } of level) {
      if (seen.has(plan)) continue;
      seen.add(plan);
      routes.push(...ownRoutes(plan, path));
      for (const node of plan.nodes.values()) {
        const below = node.kind === 'workflow' ? definitions.find(node.definition) : undefined;
        if (below !== undefined) next.push({ plan: below, path: [...path, { nodeId: node.id }] });
      }
    }
    level = next;
  }
  return routes.sort((a, b) => literal(b.path) - literal(a.path));
}

function ownRoutes(plan: Plan, path: NodePath): readonly MockRoute[] {
  const routes: MockRoute[] = [];
  const add = (nodeId: string, phase: CallPhase, call: CallPlan | undefined): void => {
    if (call === undefined) return;
    const [name = ''] = callNames([...path, { nodeId }], phase);
    routes.push({ name, nodeId, phase, call, isAsync: isCalledBack(plan, { nodeId, phase }), ...placeOf(call) });
  };
  for (const node of plan.nodes.values()) {
    if (node.kind === 'task') {
      add(node.id, 'UP', node.call);
      add(node.id, 'DOWN', node.compensation);
    } else if (node.kind === 'workflow' && typeof node.compensation !== 'string') {
      add(node.id, 'DOWN', node.compensation);
    }
  }
  add('onSuccessCallback', 'HOOK', plan.onSuccess);
  add('onFailureCallback', 'HOOK', plan.onFailure);
  return routes;
}

const literal = (path: string): number => path.replaceAll('*', '').length;

/** Placeholder of a tag; no URL contains it. */
const tag = '\u0001';

function placeOf({ request }: CallPlan): Pick<MockRoute, 'verb' | 'path' | 'pattern' | 'base' | 'origin'> {
  const { source } = request.url;
  const base = /^\{\{\{?\s*vars\.([^\s}]+)\s*\}?\}\}/.exec(source)?.[1];
  const [whole = ''] = source.replaceAll(/\{\{\{?[^}]*\}?\}\}/g, tag).split(/[?#]/, 1);
  const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i.exec(whole)?.[0];
  const path = whole.slice(origin?.length ?? (whole.startsWith(tag) ? 1 : 0));
  const rooted = path.startsWith('/') ? path : `/${path}`;
  const parts = rooted.split(tag).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return {
    verb: request.verb,
    path: rooted.replaceAll(tag, '*'),
    // The value of a tag at the beginning may end in a path of its own.
    pattern: new RegExp(`${origin === undefined ? '^(?:/.*)?' : '^'}${parts.join('[^/]*')}$`),
    ...(base === undefined ? undefined : { base }),
    ...(origin === undefined || origin.includes(tag) ? undefined : { origin }),
  };
}

/** The parts of a request that identify its call. */
export interface IncomingRequest {
  readonly verb: string;
  /** Without the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The call of a request: by the node that Trama names in it where the path fits, else by verb and path alone. */
export function findRoute(routes: readonly MockRoute[], request: IncomingRequest): MockRoute | undefined {
  const fitting = routes.filter(({ verb, pattern }) => verb === request.verb && pattern.test(request.path));
  const nodeId = decode(request.headers['trama-node-id'] ?? '');
  const isUndoing = request.headers['trama-compensates'] !== undefined;
  return fitting.find((route) => route.nodeId === nodeId && (route.phase === 'DOWN') === isUndoing) ?? fitting[0];
}

/** Header values are percent-encoded where a header could not carry them. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
