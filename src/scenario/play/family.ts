import type { RenderContext } from '../../core/context/context.ts';
import { conditionContext } from '../../core/context/context-of.ts';
import { isOfPlaces, placesOf } from '../../core/context/scope.ts';
import type { Command, Event } from '../../core/event.ts';
import { childInput, startedBy } from '../../core/family/child-input.ts';
import type { TakeBack } from '../../core/family/child-run.ts';
import { childToken, isTakenOver, type Parenting } from '../../core/family/ending.ts';
import { endTold } from '../../core/family/end-told.ts';
import type { Meter } from '../../core/meter.ts';
import type { Plan, WorkflowPlan } from '../../core/plan.ts';
import type { Told } from '../../core/run.ts';
import { evaluateStable, evaluateValue, type ValuePlan } from '../../core/template/value.ts';
import { canonicalJson, type Json } from '../../core/value/json.ts';
import type { Definitions } from '../definitions.ts';
import { generalised, nodeName } from '../names.ts';
import { type FamilyCommand, type FamilyCommands, SimulatedExecution, type World } from './execution.ts';

/** A scenario has no turns that its work could make too long. */
const unmetered: Meter = { charge: () => undefined };

/** Why a child is not started. */
class Refused extends Error {}

/** What a visit starts, or would start. */
interface Wanted {
  readonly plan: Plan;
  readonly payload: ReturnType<typeof inputOf>['payload'];
  readonly labels: Readonly<Record<string, string>>;
  readonly fingerprint: string;
}

/**
 * The executions of a simulation, and what they ask of each other: it starts children, takes over those of earlier rounds, takes them back, and
 * carries what they tell each other, as the engine and its store do.
 */
export class SimulatedFamily implements FamilyCommands {
  readonly #definitions: Definitions;
  readonly #world: World;
  /** In the order in which they began. */
  readonly #executions: SimulatedExecution[];

  constructor(definitions: Definitions, root: SimulatedExecution, world: World) {
    this.#definitions = definitions;
    this.#world = world;
    this.#executions = [root];
  }

  /** All executions, in the order in which they began. */
  get executions(): readonly SimulatedExecution[] {
    return this.#executions;
  }

  /** The latest execution that the workflow node of this name has started; undefined if there is none. */
  latestAt(name: string): SimulatedExecution | undefined {
    return this.#executions.findLast(({ path }) => path.length > 0 && generalised(path).map(nodeName).includes(name));
  }

  perform(execution: SimulatedExecution, command: FamilyCommand): void {
    const answer = this.#answer(execution, command);
    if (answer !== undefined) execution.apply(answer);
  }

  tell(execution: SimulatedExecution, { executionId, ...told }: Told): void {
    this.#find(executionId)?.receive(told.event.type === 'childEnded' ? endOf(execution, told) : told.event);
  }

  #answer(execution: SimulatedExecution, command: FamilyCommand): Event | undefined {
    const { tokens } = execution.run.state;
    switch (command.type) {
      case 'startChild': {
        const token = childToken(tokens, command.childId);
        return token?.stage.part === 'starting' ? this.#start(execution, token) : undefined;
      }
      case 'takeBack': {
        const stage = tokens.find(({ id }) => id === command.tokenId)?.stage;
        const child = stage?.kind === 'unwinding' ? stage.undo?.child : undefined;
        return child?.id === command.childId && child.part === 'asking' ? this.#takeBack(execution, child) : undefined;
      }
      case 'terminateChildren':
        return this.#terminate(execution, command);
      default:
        return command satisfies never;
    }
  }

  #find(id: string): SimulatedExecution | undefined {
    return this.#executions.find(({ header }) => header.id === id);
  }

  #start(parent: SimulatedExecution, token: Parenting): Event {
    const { child } = token.stage;
    try {
      if (child.supersedes !== undefined) return this.#renew(parent, token);
      const wanted = this.#want(parent, token);
      const found = parent.run.state.round > 1 ? this.#findStanding(parent, token, wanted.fingerprint) : undefined;
      if (found !== undefined) return { type: 'childFound', childId: child.id, fingerprint: wanted.fingerprint, found };
      this.#begin(parent, token, wanted);
      return startedAs(wanted.plan, child.id, wanted.fingerprint);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { type: 'childRefused', childId: child.id, reason: error.message };
    }
  }

  #begin({ header, run, path }: SimulatedExecution, { nodeId, scope, stage }: Parenting, wanted: Wanted): void {
    const { plan, payload, labels } = wanted;
    const { id, visit } = stage.child;
    const item = placesOf(scope);
    const place = item === undefined ? undefined : { item };
    const child = new SimulatedExecution(
      plan,
      {
        id,
        name: plan.name,
        version: plan.version,
        payload,
        labels,
        parent: { id: header.id, round: run.state.round, nodeId, visit, ...place },
        root: header.root ?? header.id,
        depth: (header.depth ?? 1) + 1,
      },
      [...path, { nodeId, ...place }],
      this.#world,
    );
    this.#executions.push(child);
    child.begin();
  }

  /** Goes on with an execution of an earlier round. */
  #renew(parent: SimulatedExecution, { stage: { child } }: Parenting): Event {
    const { fingerprint = '' } = child;
    const found = this.#find(child.id);
    if (found === undefined) throw new Refused(`The execution ${child.id}, whose effects stand, is gone.`);
    const { state } = found.run;
    if (state.end === undefined || (state.ends ?? 0) !== child.after) {
      return state.end?.status === 'SUCCEEDED' ? endOf(found) : startedAs(found.plan, child.id, fingerprint);
    }
    found.apply({ type: 'renewed', parentId: parent.header.id });
    return startedAs(found.plan, child.id, fingerprint);
  }

  #want({ run }: SimulatedExecution, token: Parenting): Wanted {
    const node = run.plan.nodes.get(token.nodeId);
    if (node?.kind !== 'workflow') throw new Error(`Node ${token.nodeId} is no workflow.`);
    const plan = this.#definitions.find(node.definition);
    if (plan === undefined) throw new Refused(`There is no definition ${startedBy(node)}.`);
    const { child, since } = token.stage;
    const resolver = { variable: (name: string) => this.#world.variable(name) };
    const context = conditionContext(run, token, resolver, child.visit, since);
    const input = inputOf({ header: run.header, plan: run.plan }, node, plan, context);
    const stable =
      node.payload?.template.volatile === true ? evaluateStable(node.payload, context, unmetered) : undefined;
    return { ...input, plan, fingerprint: `${plan.name} ${plan.version} ${canonicalJson(stable ?? input.payload)}` };
  }

  /**
   * An execution of an earlier round that was started with the same input, of which something stands: that of the same visit, or of any item
   * of a loop, first that of the same place.
   */
  #findStanding(
    { journal, run }: SimulatedExecution,
    { nodeId, scope, stage }: Parenting,
    fingerprint: string,
  ): Extract<Event, { type: 'childFound' }>['found'] | undefined {
    const item = placesOf(scope);
    const found = journal
      .findChildren(nodeId, run.state.round)
      .filter((row) =>
        item === undefined ? row.visit === stage.child.visit : !isTakenOver(run.state.tokens, row.ord),
      );
    // Outside of loops only the latest row of the visit counts.
    const same = (item === undefined ? found.slice(-1) : found).filter(
      (row) =>
        row.fingerprint === fingerprint ||
        (row.fingerprint === undefined && row.effect === 'unknown' && isOfPlaces(row.scope, item)),
    );
    const row = same.find((each) => isOfPlaces(each.scope, item)) ?? same[0];
    const state = row && this.#find(row.child)?.run.state;
    if (row === undefined || state === undefined) return undefined;
    const { end, ends = 0 } = state;
    // The result of one that succeeded is taken, so that its end counts.
    return { id: row.child, ord: row.ord, ends: end?.status === 'SUCCEEDED' ? ends - 1 : ends };
  }

  #takeBack(parent: SimulatedExecution, { id, after }: TakeBack): Event {
    const child = this.#find(id);
    if (child === undefined) throw new Error(`The execution ${id} was never started.`);
    const { end, ends = 0, verdict } = child.run.state;
    const asked = after === undefined ? undefined : { after };
    if (end === undefined) return { type: 'childRuns', childId: id, isCancellable: verdict === undefined, ...asked };
    if (end.status === 'FAILED' || end.status === 'CANCELLED' || ends !== after) return endOf(child);
    child.apply({ type: 'takenBack', parentId: parent.header.id });
    return { type: 'childRuns', childId: id, isCancellable: false, ...asked };
  }

  #terminate({ header }: SimulatedExecution, { eventId }: Extract<Command, { type: 'terminateChildren' }>): Event {
    for (const child of this.#executions) {
      if (child.header.parent?.id !== header.id || child.run.state.end !== undefined) continue;
      child.receive({ type: 'terminated', inboxId: eventId });
    }
    return { type: 'childrenTold' };
  }
}

/** The end of an execution as its parent is told it: with its result, and whether anything of it stands. */
function endOf(
  child: SimulatedExecution,
  told: Pick<Told, 'event'> & { readonly result?: Extract<Told, { result?: unknown }>['result'] } = endOfState(child),
): Event {
  const { event, result: ref } = told;
  if (event.type !== 'childEnded') return event;
  const result = ref && event.status === 'SUCCEEDED' ? child.run.outputs.at(ref)?.response?.body : undefined;
  const standing = child.journal.standing().length > 0;
  return { ...event, standing, ...(result === undefined ? undefined : { result }) };
}

function endOfState({ header, run }: SimulatedExecution): NonNullable<ReturnType<typeof endTold>> {
  const told = endTold(header, run.state);
  if (told === undefined) throw new Error(`The execution ${header.id} is not over.`);
  return told;
}

function startedAs({ version, hash }: Plan, childId: string, fingerprint: string): Event {
  return { type: 'childStarted', childId, version, definitionHash: hash, fingerprint };
}

function inputOf(parent: Parameters<typeof childInput>[0], node: WorkflowPlan, plan: Plan, context: RenderContext) {
  const evaluate = (field: string, value: ValuePlan | undefined): Json => {
    if (value === undefined) return {};
    const evaluated = evaluateValue(value, context, unmetered);
    if (evaluated.ok) return evaluated.value;
    throw new Refused(`The ${field} of ${node.id} could not be evaluated: ${evaluated.error}`);
  };
  const input = childInput(parent, node, plan, {
    payload: evaluate('payload', node.payload),
    labels: evaluate('labels', node.labels),
  });
  if ('refusal' in input) throw new Refused(input.refusal);
  return input;
}
