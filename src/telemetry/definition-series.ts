import type { CallPhase, Outcome } from '../core/context/context.ts';
import type { FailureReason, ItemEnd, TerminalStatus } from '../core/state.ts';
import type { DefinitionTelemetry, Dispatch, HookResult } from '../ports/telemetry.ts';
import type { CounterCell, HistogramCell } from './cells.ts';
import type { LabelGroup, LabelGroups } from './label-groups.ts';
import type { Series } from './series.ts';

/** Cells kept per definition: as many as it can have nodes. Further cells are looked up each time. */
const maxCells = 500;

/** Cells by label value, created on first use, since most definitions never see most outcomes. */
class Lazy<C> {
  /** Bounded by {@link maxCells}: inline definitions of one name and version may each have other nodes. */
  readonly #cells = new Map<string, C>();
  readonly #create: (value: string) => C;

  constructor(create: (value: string) => C) {
    this.#create = create;
  }

  at(value: string): C {
    let cell = this.#cells.get(value);
    if (cell === undefined) {
      cell = this.#create(value);
      if (this.#cells.size >= maxCells) this.#cells.clear();
      this.#cells.set(value, cell);
    }
    return cell;
  }
}

/** Mode of a node's call; `none` for nodes without a call. */
type Mode = 'sync' | 'async' | 'none';

/** The counters of one definition, kept beside its plan, so that counting is an addition without a lookup of labels. */
export class DefinitionSeries implements DefinitionTelemetry {
  readonly #group: LabelGroup;
  readonly #enqueued: CounterCell;
  readonly #dequeued: CounterCell;
  readonly #retried: Lazy<CounterCell>;
  readonly #processed: Lazy<CounterCell>;
  readonly #attemptsFailed: Readonly<Record<CallPhase, Lazy<CounterCell>>>;
  readonly #failed: Lazy<CounterCell>;
  readonly #hooks: Lazy<CounterCell>;
  readonly #duration: Lazy<HistogramCell>;
  readonly #nodes: Readonly<Record<Mode, Lazy<HistogramCell>>>;
  readonly #switched: Lazy<CounterCell>;
  readonly #items: Lazy<CounterCell>;
  readonly #undone: Lazy<CounterCell>;
  readonly #received: CounterCell;
  readonly #rejected: Lazy<CounterCell>;
  readonly #callbackTimeouts: CounterCell;
  readonly #steps: Lazy<{ readonly group: LabelGroup; readonly cell: HistogramCell }>;

  constructor(group: LabelGroup, steps: LabelGroups, series: Series) {
    const [name = '', version = ''] = group.values;
    this.#group = group;
    this.#enqueued = group.cell(series.enqueued, 'UP');
    this.#dequeued = group.cell(series.dequeued, 'UP');
    this.#retried = new Lazy((phase) => group.cell(series.retried, phase));
    this.#processed = new Lazy((status) => group.cell(series.processed, endedOn(status), status));
    const attemptsFailed = (phase: CallPhase): Lazy<CounterCell> =>
      new Lazy((outcome) => group.cell(series.attemptsFailed, phase, outcome));
    this.#attemptsFailed = { UP: attemptsFailed('UP'), DOWN: attemptsFailed('DOWN'), HOOK: attemptsFailed('HOOK') };
    this.#failed = new Lazy((reason) => group.cell(series.failed, phaseOf(reason), reason));
    this.#hooks = new Lazy((result) => group.cell(series.hooks, result));
    this.#duration = new Lazy((status) => group.cell(series.duration, status));
    const nodes = (mode: Mode): Lazy<HistogramCell> => new Lazy((kind) => group.cell(series.nodeDuration, kind, mode));
    this.#nodes = { sync: nodes('sync'), async: nodes('async'), none: nodes('none') };
    this.#switched = new Lazy((result) => group.cell(series.switches, result));
    this.#undone = new Lazy((status) => group.cell(series.undone, status));
    this.#items = new Lazy((status) => group.cell(series.items, status));
    this.#rejected = new Lazy((reason) => group.cell(series.callbacksRejected, reason));
    // Created at once, unlike the others: an alert compares their rates, and `rate` misses the first increment of a new
    // series.
    this.#received = group.cell(series.callbacksReceived);
    this.#callbackTimeouts = group.cell(series.callbackTimeouts);
    this.#steps = new Lazy((step) => {
      const stepGroup = steps.group(name, version, step);
      return { group: stepGroup, cell: stepGroup.cell(series.stepDuration) };
    });
  }

  enqueued(): void {
    this.#group.touch();
    this.#enqueued.add();
  }

  dequeued(_how: Dispatch): void {
    this.#group.touch();
    this.#dequeued.add();
  }

  retried(phase: CallPhase): void {
    this.#retried.at(phase).add();
  }

  attempted(phase: CallPhase, outcome: Outcome): void {
    this.#group.touch();
    if (outcome !== 'succeeded') this.#attemptsFailed[phase].at(outcome).add();
  }

  stepped(nodeId: string, nodeKind: string, mode: 'sync' | 'async' | undefined, outcome: string, millis: number): void {
    const seconds = millis / 1000;
    this.#nodes[mode ?? 'none'].at(nodeKind).observe(seconds);
    if (outcome !== 'succeeded') return;
    const { group, cell } = this.#steps.at(nodeId);
    group.touch();
    cell.observe(seconds);
  }

  switched(result: 'case' | 'default' | 'error'): void {
    this.#switched.at(result).add();
  }

  itemEnded(status: ItemEnd['status']): void {
    this.#items.at(status).add();
  }

  callbackTimedOut(): void {
    this.#callbackTimeouts.add();
  }

  /** Counts an accepted callback. */
  callbackReceived(): void {
    this.#group.touch();
    this.#received.add();
  }

  /** Counts a rejected callback for an execution of this definition. */
  callbackRejected(reason: string): void {
    this.#group.touch();
    this.#rejected.at(reason).add();
  }

  finished(status: TerminalStatus, reason: FailureReason | undefined, millis: number): void {
    this.#group.touch();
    this.#processed.at(status).add();
    this.#duration.at(status).observe(millis / 1000);
    if (status !== 'SUCCEEDED' && reason !== undefined) this.#failed.at(reason).add();
  }

  undone(status: TerminalStatus): void {
    this.#group.touch();
    this.#processed.at(status).add();
    this.#undone.at(status).add();
  }

  hookEnded(result: HookResult): void {
    this.#group.touch();
    this.#hooks.at(result).add();
  }
}

/** The `phase` label of a failed execution: DOWN only if a compensation could not be completed. */
function phaseOf(reason: string): CallPhase {
  return reason === 'compensation' ? 'DOWN' : 'UP';
}

/** The `phase` label of an ended execution: DOWN unless it SUCCEEDED or was TERMINATED. */
function endedOn(status: string): CallPhase {
  return status === 'SUCCEEDED' || status === 'TERMINATED' ? 'UP' : 'DOWN';
}
