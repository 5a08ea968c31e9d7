import type { Execution } from '../../api/executions.ts';
import { isOver } from '../../parts/words.ts';

/** A change that a person can make to a run. */
export type ActionName = 'cancel' | 'retry' | 'resolve' | 'terminate' | 'wake' | 'undo' | 'redeliver';

/** How an action is offered and what its dialog says. */
export interface Action {
  readonly name: ActionName;
  /** The button; its text ends in `…`, because a dialog follows. */
  readonly button: string;
  readonly icon: string;
  readonly title: string;
  /** The route below the run, and that of its preview. */
  readonly path: string;
  readonly preview?: string;
  readonly isDangerous?: true;
  readonly needsReason?: true;
}

const all: Readonly<Record<ActionName, Action>> = {
  cancel: {
    name: 'cancel',
    button: 'Cancel…',
    icon: 'a-cancel',
    title: 'Cancel this run',
    path: 'cancel',
    preview: 'cancel-preview',
    isDangerous: true,
  },
  retry: {
    name: 'retry',
    button: 'Retry…',
    icon: 'a-retry',
    title: 'Retry this run',
    path: 'retry',
    preview: 'retry-preview',
  },
  undo: {
    name: 'undo',
    button: 'Undo…',
    icon: 'undone',
    title: 'Take this run back',
    path: 'undo',
    preview: 'undo-preview',
    isDangerous: true,
    needsReason: true,
  },
  terminate: {
    name: 'terminate',
    button: 'Terminate…',
    icon: 'a-terminate',
    title: 'Terminate this run',
    path: 'terminate',
    preview: 'terminate-preview',
    isDangerous: true,
  },
  wake: { name: 'wake', button: 'Wake…', icon: 'a-wake', title: 'Wake this run', path: 'wake' },
  resolve: {
    name: 'resolve',
    button: 'Resolve…',
    icon: 'a-resolve',
    title: 'Settle by hand',
    path: 'resolve',
    needsReason: true,
  },
  redeliver: {
    name: 'redeliver',
    button: 'Redeliver hook…',
    icon: 'pl-hook',
    title: 'Call the hook again',
    path: 'hook/redeliver',
  },
};

/** Places that a wake can end. */
const wakeable: ReadonlySet<string> = new Set(['SLEEPING', 'SCHEDULED', 'BACKOFF', 'BLOCKED']);

/** A wake of a run that does not sleep: its next attempt, or its blocked call, goes out now. */
const retryNow: Action = { ...all.wake, button: 'Retry now…', icon: 'a-retry', title: 'Retry now' };

/** The actions that a run offers now, the most likely first. */
export function actionsOf(run: Execution): readonly Action[] {
  const names: ActionName[] = [];
  const canWake = run.currentNodes.some(({ state }) => wakeable.has(state));
  if (isOver(run)) {
    if (run.retryable) names.push('retry');
    if (run.status === 'CORRUPTED') names.push('resolve');
    if (run.status === 'SUCCEEDED' && run.parent === undefined) names.push('undo');
    if (run.status === 'TERMINATED' && !run.retryable) names.push('retry');
    if (run.hook !== undefined && run.hook.state !== 'DELIVERED') names.push('redeliver');
  } else {
    if (canWake) names.push('wake');
    if (run.status !== 'COMPENSATING') names.push('cancel');
    names.push('resolve', 'terminate');
  }
  const isOnlyRetry = run.currentNodes.every(({ state }) => state !== 'SLEEPING' && state !== 'SCHEDULED');
  return names.map((name) => (name === 'wake' && isOnlyRetry ? retryNow : all[name]));
}

/** What the button says that changes the run: how much it sends. */
export function confirmText({ name, title }: Action, requests: number | undefined): string {
  const sends = requests === undefined ? '' : `, send ${String(requests)} ${requests === 1 ? 'request' : 'requests'}`;
  switch (name) {
    case 'cancel':
      return `Cancel run${sends}`;
    case 'undo':
      return `Take back${sends}`;
    case 'retry':
      return requests === undefined || requests === 0 ? 'Retry run' : `Retry${sends}`;
    case 'terminate':
      return 'Terminate, send nothing';
    case 'wake':
      return title === retryNow.title ? 'Retry now' : 'Wake run';
    case 'resolve':
      return 'Settle';
    case 'redeliver':
      return 'Call the hook, send 1 request';
    default:
      return name;
  }
}

/** What an action does, in a sentence over its preview. */
export function leadOf({ name }: Action, run: Execution, requests: number | undefined): string {
  const these = requests === 1 ? 'this request' : `these ${String(requests ?? '')} requests`;
  switch (name) {
    case 'cancel':
    case 'undo':
      if (requests === undefined) return 'Nothing is sent until you press the button.';
      return requests === 0
        ? 'No effect has to be undone; nothing is sent.'
        : `Sends ${these} in this order, one after the other. Nothing is sent until you press the button.`;
    case 'retry':
      return run.status === 'CORRUPTED'
        ? `Sends ${these} again, with the same keys as before, until each is undone or gives up.`
        : 'Starts a new round from the first node. Effects that stand are named below.';
    case 'terminate':
      return 'Ends the run at once. Nothing is undone: what has taken effect stands.';
    case 'wake':
      return 'Ends these waits now; the run goes on.';
    case 'resolve':
      return 'Says what became of a call that only a person can know. The engine goes on from there.';
    case 'redeliver':
      return 'Calls the hook at once, with the same key. Its full delivery time begins anew.';
    default:
      return '';
  }
}
