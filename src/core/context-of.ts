/**
 * Builds what a template or condition of one token can see.
 */
import type { NodeView, RenderContext } from './context.ts';
import type { Run } from './draft.ts';
import type { Outputs } from './outputs.ts';
import type { Token } from './state.ts';

/** Where variables and secrets come from. */
export interface Resolver {
  variable(name: string): string | undefined;
  secret(name: string): string | undefined;
}

const noSecret = (): undefined => undefined;

/** Who looks: decides which nodes and which `prev` are visible. */
export interface Viewpoint {
  readonly scope: string;
  readonly stepName: string;
  readonly phase: 'UP' | 'DOWN';
  readonly attempt: number;
  readonly prev?: NodeView;
  /** What a compensation sees instead of the present outputs. */
  readonly outputs?: Outputs;
  readonly round?: number;
  /** The running visit of the looking node: its number and key show in place of those of its last visit. */
  readonly self?: { readonly visit: number; readonly idempotencyKey: string };
  readonly extra?: Pick<RenderContext, 'callback' | 'failure'>;
}

/** The context from a viewpoint. */
export function contextFrom(run: Run, view: Viewpoint, resolver: Resolver): RenderContext {
  const outputs = view.outputs ?? run.outputs;
  const { self } = view;
  const node = (id: string): NodeView | undefined => {
    const found = outputs.find(id, view.scope);
    if (self === undefined || id !== view.stepName) return found;
    return { nodeId: id, round: run.state.round, ...found, ...self };
  };
  return {
    payload: run.header.payload,
    labels: run.header.labels,
    sagaId: run.header.id,
    sagaName: run.header.name,
    sagaVersion: run.header.version,
    stepName: view.stepName,
    phase: view.phase,
    attempt: view.attempt,
    round: view.round ?? run.state.round,
    variable: (name) => resolver.variable(name),
    secret: (name) => resolver.secret(name),
    node,
    get completed() {
      return (run.state.completed ?? []).filter((id) => node(id) !== undefined);
    },
    ...(view.prev === undefined ? undefined : { prev: view.prev }),
    ...view.extra,
  };
}

/** The context of a condition, a sleep or a `fail` reason at a token: without secrets. */
export function conditionContext(run: Run, token: Token, resolver: Pick<Resolver, 'variable'>): RenderContext {
  const { stage } = token;
  const prev = token.prev === undefined ? undefined : run.outputs.at(token.prev);
  return contextFrom(
    run,
    {
      scope: token.scope,
      stepName: token.nodeId,
      phase: 'UP',
      attempt: 'task' in stage ? stage.task.attempt : 1,
      ...(prev === undefined ? undefined : { prev }),
    },
    { variable: (name) => resolver.variable(name), secret: noSecret },
  );
}
