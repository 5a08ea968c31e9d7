/** The actions of people in a scenario, as the API would take them. */
import { admit } from '../../core/admission.ts';
import type { Event } from '../../core/event.ts';
import type { Run } from '../../core/run.ts';
import type { State } from '../../core/state.ts';
import type { Journal } from './journal.ts';
import { callName, nodeName } from '../names.ts';
import type { ScenarioAction } from '../scenario.ts';

/** The event of an action, or the reason for which the API would refuse it. */
export type ActionAnswer = { readonly event: Event; readonly note: string } | { readonly refusal: string };

/** Whether an action is possible now. `isRootOver`: whether the root of the family has ended. */
export function act(
  action: ScenarioAction,
  { header, state }: Pick<Run, 'header' | 'state'>,
  journal: Journal,
  isRootOver: boolean,
): ActionAnswer {
  const isChild = header.parent !== undefined;
  switch (action.do) {
    case 'cancel': {
      const { reason } = action;
      const event = { type: 'cancelled', ...(reason === undefined ? undefined : { reason }) } as const;
      return admitted(state, event, reason === undefined ? 'Cancelled.' : `Cancelled: ${reason}`);
    }
    case 'terminate':
      return admitted(state, { type: 'terminated' }, 'Terminated.');
    case 'wake':
      return admitted(state, { type: 'woken', ...(action.item && { item: action.item }) }, 'Woken.');
    case 'retry':
      return retry(state, action.force, isChild);
    case 'undo':
      if (isChild && !isRootOver)
        return { refusal: `It belongs to the execution ${header.root ?? ''}, which is not over.` };
      return undo(action.reason, state, journal);
    case 'resolve':
      return resolve(action, state, journal);
    default:
      return action satisfies never;
  }
}

type Admissible = Parameters<typeof admit>[1];

function admitted(state: State, event: Admissible, note: string): ActionAnswer {
  const admission = admit(state, event);
  if (admission.kind === 'accepted') return { event, note };
  return { refusal: admission.kind === 'conflict' ? admission.message : 'Not possible now.' };
}

function retry({ end }: State, force: boolean, isChild: boolean): ActionAnswer {
  if (end === undefined) return { refusal: 'Only an execution that has ended can be retried.' };
  if (isChild && end.status !== 'CORRUPTED') {
    return {
      refusal: 'It was started by another execution: retry that one. Only a CORRUPTED child is retried itself.',
    };
  }
  if (end.status === 'SUCCEEDED') return { refusal: 'A SUCCEEDED execution cannot be retried.' };
  if (end.status === 'TERMINATED' && !force) {
    return { refusal: 'A TERMINATED execution is retried only with "force": true.' };
  }
  return { event: { type: 'retried', force }, note: `Retried after ${end.status}.` };
}

function undo(reason: string, { end, round }: State, journal: Journal): ActionAnswer {
  if (end?.status !== 'SUCCEEDED') return { refusal: 'Only an execution that has SUCCEEDED can be undone.' };
  if (journal.findUndo({ round, scope: '', undo: 'pending' }) === undefined) {
    return { refusal: 'No visit has a compensation that is due: there is nothing to undo.' };
  }
  return { event: { type: 'undone', reason }, note: `Undone: ${reason}` };
}

function resolve(action: Extract<ScenarioAction, { do: 'resolve' }>, state: State, journal: Journal): ActionAnswer {
  const { do: _do, atMillis: _atMillis, at: _at, ...resolution } = action;
  const { nodeId, item, phase, outcome } = resolution;
  const note = `Settled ${callName(nodeName([{ nodeId, item }]), phase)} as ${outcome}: ${resolution.reason}`;
  if (state.end === undefined) return admitted(state, { type: 'resolved', ...resolution }, note);
  const target = phase === 'DOWN' ? journal.findUnfinished(state.round, resolution) : undefined;
  if (state.end.status !== 'CORRUPTED' || target === undefined) {
    return {
      refusal: `The execution is ${state.end.status}, and ${callName(nodeName([{ nodeId, item }]), phase)} is nothing to settle.`,
    };
  }
  return { event: { type: 'resolved', ...resolution, target }, note };
}
