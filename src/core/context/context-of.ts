import type { ItemView, NodeView, Occasion, RenderContext } from './context.ts';
import { visitKey, visitKeyOf } from '../call/keys.ts';
import type { Run } from '../run.ts';
import type { Json } from '../value/json.ts';
import type { Outputs } from './outputs.ts';
import type { TaskRun, Token } from '../state.ts';
import { type ItemPlace, itemsOf } from './scope.ts';

/** Supplies the values of variables and secrets; undefined if not configured. */
export interface Resolver {
  variable(name: string): string | undefined;
  secret(name: string): string | undefined;
  /** See `RenderContext.maskJson`. */
  readonly maskJson?: ((value: Json) => Json) | undefined;
}

const noSecret = (): undefined => undefined;

/** The position from which a context is viewed. It determines which nodes are visible and what `prev` is. */
export interface Viewpoint {
  readonly scope: string;
  readonly stepName: string;
  readonly phase: 'UP' | 'DOWN';
  readonly attempt: number;
  /** Returns the node behind `prev`; called only when a template or condition reads it. */
  readonly prev?: (() => NodeView | undefined) | undefined;
  /** The outputs that a compensation sees in place of the current ones. */
  readonly outputs?: Outputs | undefined;
  readonly round?: number;
  /**
   * The running visit of the viewing node itself. Its visit number, and its idempotency key if it makes a call, replace
   * those of the previous visit.
   */
  readonly self?: { readonly visit: number; readonly idempotencyKey?: string } | undefined;
  /** What `now` and `uuid` are made of; called only when an expression reads one of them. */
  readonly occasion?: (() => Occasion) | undefined;
  readonly callback?: RenderContext['callback'];
  readonly failure?: RenderContext['failure'];
}

/** Creates the context of a template or condition, as seen from a viewpoint. */
export function contextFrom(run: Run, view: Viewpoint, resolver: Resolver): RenderContext {
  return new ViewOfRun(run, view, resolver);
}

/** Looks values up on demand, since most templates use only a few of them. */
class ViewOfRun implements RenderContext {
  readonly #run: Run;
  readonly #view: Viewpoint;
  readonly #resolver: Resolver;
  /** Cache of lookups from within a split, where visibility requires comparing scopes for each version of a node. */
  #seen: Map<string, NodeView | undefined> | undefined;
  #items: readonly ItemPlace[] | undefined;

  constructor(run: Run, view: Viewpoint, resolver: Resolver) {
    this.#run = run;
    this.#view = view;
    this.#resolver = resolver;
  }

  get payload(): RenderContext['payload'] {
    return this.#run.header.payload;
  }

  get labels(): RenderContext['labels'] {
    return this.#run.header.labels;
  }

  get sagaId(): string {
    return this.#run.header.id;
  }

  get sagaName(): string {
    return this.#run.header.name;
  }

  get sagaVersion(): string {
    return this.#run.header.version;
  }

  get stepName(): string {
    return this.#view.stepName;
  }

  get phase(): 'UP' | 'DOWN' {
    return this.#view.phase;
  }

  get attempt(): number {
    return this.#view.attempt;
  }

  get round(): number {
    return this.#view.round ?? this.#run.state.round;
  }

  get completed(): readonly string[] {
    return (this.#run.state.completed ?? []).filter((id) => this.node(id) !== undefined);
  }

  get prev(): NodeView | undefined {
    return this.#view.prev?.();
  }

  get occasion(): Occasion | undefined {
    return this.#view.occasion?.();
  }

  get callback(): RenderContext['callback'] {
    return this.#view.callback;
  }

  get failure(): RenderContext['failure'] {
    return this.#view.failure;
  }

  get maskJson(): RenderContext['maskJson'] {
    return this.#resolver.maskJson;
  }

  variable(name: string): string | undefined {
    return this.#resolver.variable(name);
  }

  secret(name: string): string | undefined {
    return this.#resolver.secret(name);
  }

  node(id: string): NodeView | undefined {
    const { self, stepName } = this.#view;
    const found = this.#find(id);
    if (self === undefined || id !== stepName) return found;
    return { nodeId: id, round: this.#run.state.round, ...found, ...self };
  }

  item(level: number): ItemView | undefined {
    const { outputs = this.#run.outputs, scope } = this.#view;
    this.#items ??= itemsOf(scope);
    const of = this.#items[this.#items.length - 1 - level];
    return of && outputs.item(of);
  }

  #find(id: string): NodeView | undefined {
    const { outputs = this.#run.outputs, scope } = this.#view;
    if (scope === '') return outputs.find(id, scope);
    const seen = (this.#seen ??= new Map<string, NodeView | undefined>());
    if (!seen.has(id)) seen.set(id, outputs.find(id, scope));
    return seen.get(id);
  }
}

/**
 * Creates the context of a condition or a value at a token, without access to secrets. `visit` is the number of the
 * running visit if the node makes no call, and `begunAt` when it began, by default now.
 */
export function conditionContext(
  run: Run,
  token: Token,
  resolver: Pick<Resolver, 'variable' | 'maskJson'>,
  visit?: number,
  begunAt: number = run.state.now,
): RenderContext {
  const { stage } = token;
  const { prev } = token;
  const task = 'task' in stage ? stage.task : undefined;
  return contextFrom(
    run,
    {
      scope: token.scope,
      stepName: token.nodeId,
      phase: 'UP',
      attempt: task?.attempt ?? 1,
      occasion: () =>
        task === undefined ? occasionOf(run, token, visit, begunAt) : occasionOfTask(run, token.nodeId, task),
      self: visit === undefined ? undefined : { visit },
      prev: prev && (() => run.outputs.at(prev)),
    },
    { variable: (name) => resolver.variable(name), secret: noSecret, ...maskOf(resolver) },
  );
}

function maskOf({ maskJson }: Pick<Resolver, 'maskJson'>): Pick<Resolver, 'maskJson'> {
  return maskJson === undefined ? {} : { maskJson };
}

/** The occasion of a visit without a call; without a number, of the end of an item. */
function occasionOf(run: Run, { nodeId, scope }: Token, visit: number | undefined, at: number): Occasion {
  const { round } = run.state;
  if (visit !== undefined) return { at, key: visitKey(run.header.id, round, nodeId, visit) };
  const item = itemsOf(scope).at(-1);
  const key = visitKey(run.header.id, round, item?.nodeId ?? nodeId, item?.visit ?? 1);
  return { at, key: `${key}:${String(item?.place ?? 0)}` };
}

/** The occasion of the visit of a task: that of an earlier round, if it sends the key of that. */
export function occasionOfTask(run: Run, nodeId: string, task: TaskRun): Occasion {
  return {
    at: task.begunAt ?? task.startedAt,
    key: task.key === undefined ? visitKey(run.header.id, run.state.round, nodeId, task.visit) : visitKeyOf(task.key),
  };
}
