import { hash as digest } from 'node:crypto';
import { apply, type Run } from '../../core/apply.ts';
import type { RenderContext } from '../../core/context/context.ts';
import { conditionContext, type Resolver } from '../../core/context/context-of.ts';
import { placeOf } from '../../core/context/family.ts';
import { isOfPlaces, placesOf } from '../../core/context/scope.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { lackOfChild } from '../../core/context/wanted.ts';
import { dueAt } from '../../core/due.ts';
import type { Event } from '../../core/event.ts';
import { childInput, startedBy } from '../../core/family/child-input.ts';
import { isTakenOver, type Parenting } from '../../core/family/ending.ts';
import { endTold } from '../../core/family/end-told.ts';
import type { Plan, WorkflowPlan } from '../../core/plan.ts';
import type { TakeBack } from '../../core/family/child-run.ts';
import { summarize } from '../../core/summary.ts';
import { evaluateStable, evaluateValue, type ValuePlan } from '../../core/template/value.ts';
import { canonicalJson, type Json, type JsonObject, parseJson, stringifyJson } from '../../core/value/json.ts';
import { fitsGlobs } from '../../core/value/name-globs.ts';
import type { Clock, Entropy } from '../../ports/clock.ts';
import type { StoredItem } from '../../ports/queue.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { EffectRow, Store, SubmitResult } from '../../ports/store.ts';
import type { CoreEnvironment } from '../core-env.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { isSampled } from '../execution/execution-spans.ts';
import { readBack } from '../execution/restored-outputs.ts';
import type { LoopShare } from '../loop-share.ts';
import { childTraceparentOf, type Trace, visitSpanIdOf } from '../trace-context.ts';
import { turnFields } from '../watchdog.ts';
import type { PlanCache } from '../worker/plan-cache.ts';
import type { PatientReads } from '../write/patient-reads.ts';
import type { Submission } from '../write/submission.ts';
import { tellRows } from './tell-rows.ts';

/** What {@link Family} needs. */
export interface FamilyParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Pick<Telemetry, 'tracer'>;
  readonly store: Pick<Store, 'getDefinition' | 'getExecution' | 'changeTerminal' | 'terminateChildren'>;
  readonly reads: PatientReads;
  readonly plans: PlanCache;
  readonly env: CoreEnvironment;
  readonly share: LoopShare;
  /** The values of variables; what expressions read is masked. */
  readonly resolver: Pick<Resolver, 'variable' | 'maskJson'>;
  readonly maxOutputBytes: number;
  submit(submission: Submission): Promise<SubmitResult>;
  /** Announces that an execution has become due. Never throws. */
  ring(item: StoredItem): void;
}

/** The answer to a command: an event; or `fenced`, when the parent is over or another process holds it. */
export type FamilyAnswer = Event | 'fenced';

/** An error of a definition or of data, for which a child is not started. */
class Refused extends Error {
  readonly logged: string | undefined;

  constructor(reason: string, logged?: string) {
    super(reason);
    this.logged = logged;
  }
}

/** What a visit would start. */
interface Wanted {
  readonly plan: Plan;
  readonly definition: string;
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly fingerprint: string;
}

/**
 * Performs the commands of parents: starts children, takes over those of earlier rounds, and takes them back.
 *
 * Guarantees: every step can be repeated after a crash. A child is inserted under the id that its parent's state names, and only while the
 * parent is held under the given claim. A child that is over is changed by compare-and-set, at the end that the parent's state names, so a
 * repetition changes nothing. Reads are repeated while the store is unavailable.
 */
export class Family {
  readonly #parts: FamilyParts;

  constructor(parts: FamilyParts) {
    this.#parts = parts;
  }

  /** Starts the child of a token. `again`: it may be stored already. Throws what the store throws. */
  async start(run: Run, token: Parenting, trace: Trace, claim: string, again: boolean): Promise<FamilyAnswer> {
    const { child } = token.stage;
    try {
      if (child.supersedes !== undefined) return await this.#renew(run, token);
      const known = again ? await this.#find(child.id) : undefined;
      if (known !== undefined)
        return startedAs(
          known,
          child.id,
          await this.#fingerprint(run, token, known.definitionHash, parseJson(known.payload)),
        );
      const wanted = await this.#want(run, token);
      const found = run.state.round > 1 ? await this.#findStanding(run, token, wanted.fingerprint) : undefined;
      if (found !== undefined) return { type: 'childFound', childId: child.id, fingerprint: wanted.fingerprint, found };
      return await this.#insert(run, token, wanted, trace, claim);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { message: reason, logged } = error;
      return { type: 'childRefused', childId: child.id, reason, ...(logged === undefined ? undefined : { logged }) };
    }
  }

  /** Looks at a child that is to be taken back, and changes it if its end is the one that was found before. Throws what the store throws. */
  async takeBack(run: Run, { id, after }: TakeBack): Promise<Event> {
    const asked = after === undefined ? undefined : { after };
    for (;;) {
      const child = await this.#find(id);
      // It was never stored, so that there is nothing to take back.
      if (child === undefined) return goneEnd(id);
      const { state } = child;
      if (state.end === undefined)
        return { type: 'childRuns', childId: id, isCancellable: state.verdict === undefined, ...asked };
      const { status } = state.end;
      const isSettled = status === 'FAILED' || status === 'CANCELLED';
      if (isSettled || after === undefined || (state.ends ?? 0) !== after) return await this.#endOf(child);
      if (await this.#change(child, { type: 'takenBack', parentId: run.header.id })) {
        return { type: 'childRuns', childId: id, isCancellable: false, ...asked };
      }
    }
  }

  /** Tells all children that are not over to end. Throws what the store throws. */
  async terminate({ header, state }: Run, eventId: string): Promise<Event> {
    const { store, reads } = this.#parts;
    const { now } = state;
    let after: string | undefined;
    do {
      const tell = () => store.terminateChildren(header.id, eventId, now, after);
      const { told, next } = await reads.repeat('terminateChildren', tell);
      for (const { id, slot } of told) this.#parts.ring({ id, slot, dueAt: now });
      after = next;
    } while (after !== undefined);
    return { type: 'childrenTold' };
  }

  /** Goes on with an execution of an earlier round. */
  async #renew(run: Run, { stage: { child } }: Parenting): Promise<Event> {
    const { fingerprint = '' } = child;
    for (;;) {
      const found = await this.#find(child.id);
      if (found === undefined) throw new Refused(`The execution ${child.id}, whose effects stand, is gone.`);
      const { state } = found;
      // The inbox has or had the later end, which the visit awaits.
      if (state.end === undefined || (state.ends ?? 0) !== child.after) {
        return state.end?.status === 'SUCCEEDED' ? this.#endOf(found) : startedAs(found, child.id, fingerprint);
      }
      if (await this.#change(found, { type: 'renewed', parentId: run.header.id })) {
        return startedAs(found, child.id, fingerprint);
      }
    }
  }

  #find(id: string): Promise<ExecutionDetail | undefined> {
    return this.#parts.reads.repeat('getExecution', () => this.#parts.store.getExecution(id));
  }

  /** Applies an event to a child that is over. Returns false if another writer has changed it meanwhile. */
  async #change(child: ExecutionDetail, event: Event): Promise<boolean> {
    const { store, clock, entropy, env, plans } = this.#parts;
    const plan = await plans.load(child.definitionHash);
    if (plan === undefined) throw new Error(`The definition of the execution ${child.id} cannot be used.`);
    const { id, slot, name, version, labels, seq, state: before } = child;
    const header = { id, name, version, labels, payload: parseJson(child.payload) as JsonObject, ...placeOf(child) };
    const outputs = Outputs.leaving(Object.keys(before.visits));
    const made = apply({ plan, header, state: before, outputs }, event, env.at(clock.now(), false));
    const { state, steps, calls, undo } = made;
    const due = dueAt(state);
    const tells = tellRows(made);
    const change = {
      id,
      seq,
      writeId: entropy.nonce(),
      state,
      summary: summarize(state),
      dueAt: due,
      steps,
      calls,
      undo,
      ...(tells.length === 0 ? undefined : { tells }),
    };
    const isMade = await this.#parts.reads.repeat('changeTerminal', () => store.changeTerminal(change));
    if (isMade !== true) return false;
    if (due !== null) this.#parts.ring({ id, slot, dueAt: due });
    return true;
  }

  /** The end of a child, with its result, as the child told it. */
  async #endOf(child: ExecutionDetail): Promise<Event> {
    const told = endTold(child, child.state);
    if (told?.event.type !== 'childEnded') throw new Error(`The execution ${child.id} is not over.`);
    const { inboxId: _inboxId, ...end } = told.event;
    const event = { ...end, standing: child.maybeStanding };
    const ref = 'result' in told ? told.result : undefined;
    if (ref === undefined || event.status !== 'SUCCEEDED') return event;
    const rows = await this.#parts.reads.readOutputs(child.id, child.round, [{ nodeId: ref.nodeId, at: ref.ord }]);
    const result = Outputs.empty.with(rows).at(ref)?.response?.body;
    return result === undefined ? event : { ...event, result };
  }

  /** Finds the definition and evaluates the payload and labels. */
  async #want(run: Run, token: Parenting): Promise<Wanted> {
    const node = run.plan.nodes.get(token.nodeId);
    if (node?.kind !== 'workflow') throw new Error(`Node ${token.nodeId} is no workflow.`);
    if (!fitsGlobs(node.definition.name, run.state.scope))
      throw new Refused(
        `The definition ${startedBy(node)} is not among those that the caller who started the root may run.`,
      );
    const { plan, definition } = await this.#definition(node);
    const values = {
      payload: await this.#evaluated(run, token, 'payload', node.payload),
      labels: await this.#evaluated(run, token, 'labels', node.labels),
    };
    const input = childInput(run, node, plan, values);
    if ('refusal' in input) throw new Refused(input.refusal);
    const { payload } = input;
    return { ...input, plan, definition, fingerprint: await this.#fingerprint(run, token, plan.hash, payload) };
  }

  async #definition(node: WorkflowPlan): Promise<{ readonly plan: Plan; readonly definition: string }> {
    const { store, reads, plans } = this.#parts;
    const record = await reads.repeat('getDefinition', () => store.getDefinition(node.definition));
    if (record === undefined) throw new Refused(`There is no definition ${startedBy(node)}.`);
    const plan = await reads.repeat('getDefinitionBody', () => plans.load(record.hash));
    if (plan === undefined) throw new Refused(`The definition ${startedBy(node)} is not valid any more.`);
    return { plan, definition: record.definition };
  }

  async #evaluated(run: Run, token: Parenting, field: string, value: ValuePlan | undefined): Promise<Json> {
    if (value === undefined) return {};
    const { share } = this.#parts;
    const evaluated = await this.#inContext(run, token, (context) => evaluateValue(value, context, share));
    if (evaluated.ok) return evaluated.value;
    const logged = `The ${field} of ${token.nodeId} could not be evaluated.`;
    throw new Refused(`The ${field} of ${token.nodeId} could not be evaluated: ${evaluated.error}`, logged);
  }

  /** Hash of what a visit starts, to recognise it in a later round: of the payload with constants in place of `now` and the like. */
  async #fingerprint(run: Run, token: Parenting, definitionHash: string, payload: Json): Promise<string> {
    const node = run.plan.nodes.get(token.nodeId);
    const value = node?.kind === 'workflow' ? node.payload : undefined;
    const { share } = this.#parts;
    const stable =
      value?.template.volatile === true
        ? await this.#inContext(run, token, (context) => evaluateStable(value, context, share))
        : undefined;
    return fingerprintOf(definitionHash, stable ?? payload);
  }

  /** Calls an action with what the values of a visit see. */
  async #inContext<T>(run: Run, token: Parenting, action: (context: RenderContext) => T): Promise<T> {
    const { share, reads, maxOutputBytes, resolver } = this.#parts;
    const lack = lackOfChild(run, token);
    const restore = lack.length === 0 ? undefined : await readBack({ reads, maxOutputBytes }, run, lack);
    const seeing = restore === undefined ? run : { ...run, outputs: restore(run.outputs) };
    const { child, since } = token.stage;
    return share.run(
      () => action(conditionContext(seeing, token, resolver, child.visit, since)),
      'render',
      () => turnFields(run, token.nodeId),
    );
  }

  /**
   * An execution of an earlier round that was started with the same definition and payload, in which something stands. Outside of loops it
   * is that of the same visit. Within a loop the numbers of visits say nothing, since items may come in another order: it is one of any item
   * that no other visit takes over, first of the item at the same place.
   */
  async #findStanding(
    { header, state }: Run,
    token: Parenting,
    fingerprint: string,
  ): Promise<{ readonly id: string; readonly ord: number; readonly ends: number } | undefined> {
    const { nodeId, scope } = token;
    const { reads } = this.#parts;
    const item = placesOf(scope);
    const rows =
      item === undefined
        ? [await reads.findStanding(header.id, nodeId, token.stage.child.visit, state.round)]
        : await reads.listStandingRequests(header.id, nodeId, state.round, fingerprint);
    const free = rows.filter(
      (row): row is EffectRow & { readonly child: string } =>
        row?.child !== undefined &&
        isSame(row, fingerprint) &&
        (row.fingerprint !== undefined || isOfPlaces(row.target.scope, item)) &&
        !isTakenOver(state.tokens, row.target.ord),
    );
    const row = free.find(({ target }) => isOfPlaces(target.scope, item)) ?? free[0];
    if (row === undefined) return undefined;
    const { child: id } = row;
    const child = await this.#find(id);
    if (child === undefined) return undefined;
    const ends = child.state.ends ?? 0;
    // The result of one that succeeded is taken, so that its end counts.
    return { id, ord: row.target.ord, ends: child.state.end?.status === 'SUCCEEDED' ? ends - 1 : ends };
  }

  #traceparent({ header, state }: Run, token: Parenting, trace: Trace): string {
    const { tracer } = this.#parts.telemetry;
    const isTraced = tracer !== undefined && isSampled(tracer, header.id, trace.traceparent);
    const span = visitSpanIdOf(header.id, state.round, token.nodeId, token.stage.child.visit);
    return childTraceparentOf(trace, span, isTraced);
  }

  async #insert(run: Run, token: Parenting, wanted: Wanted, trace: Trace, claim: string): Promise<FamilyAnswer> {
    const { header, state } = run;
    const { id, visit } = token.stage.child;
    const { plan, definition, payload, labels, fingerprint } = wanted;
    const item = placesOf(token.scope);
    const submission: Submission = {
      plan,
      header: {
        id,
        name: plan.name,
        version: plan.version,
        payload,
        labels,
        parent: {
          id: header.id,
          round: state.round,
          nodeId: token.nodeId,
          visit,
          ...(item === undefined ? undefined : { item }),
        },
        root: header.root ?? header.id,
        depth: (header.depth ?? 1) + 1,
      },
      definition,
      payload: stringifyJson(payload),
      createdAt: this.#parts.clock.now(),
      traceparent: this.#traceparent(run, token, trace),
      parentClaim: claim,
      ...(state.scope === undefined ? undefined : { scope: state.scope }),
    };
    const result = await this.#parts.submit(submission);
    switch (result.kind) {
      case 'created':
        return { type: 'childStarted', childId: id, version: plan.version, definitionHash: plan.hash, fingerprint };
      case 'fenced':
        return 'fenced';
      case 'invalid':
        throw new Refused(`The run that ${token.nodeId} starts cannot be stored: ${result.message}`);
      case 'existing':
      case 'reused':
      case 'gone':
        throw new Error(`A start of a child was answered with ${result.kind}.`);
    }
  }
}

function fingerprintOf(definitionHash: string, payload: Json): string {
  return digest('sha256', `${definitionHash}\n${canonicalJson(payload)}`, 'base64url');
}

/** Whether the child of an earlier round is what a visit would start. One that was given up before it was known counts as the same. */
function isSame({ fingerprint, effect }: EffectRow, wanted: string): boolean {
  return fingerprint === wanted || (fingerprint === undefined && effect === 'unknown');
}

function startedAs({ version, definitionHash }: ExecutionDetail, childId: string, fingerprint: string): Event {
  return { type: 'childStarted', childId, version, definitionHash, fingerprint };
}

function goneEnd(childId: string): Event {
  const end = Number.MAX_SAFE_INTEGER;
  return { type: 'childEnded', childId, end, status: 'CANCELLED', visits: 0, standing: false };
}
