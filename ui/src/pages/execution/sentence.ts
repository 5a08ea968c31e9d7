import type { Execution, Place } from '../../api/executions.ts';
import { placeWords } from '../executions/place.tsx';
import { isOver } from '../../parts/words.ts';

/** The sentence over a run: its first clause, and what follows. */
export interface Sentence {
  readonly headline: string;
  readonly detail: string;
}

/** Tokens in the order of their urgency. */
const urgency = [
  'BLOCKED',
  'BACKOFF',
  'COMPENSATING',
  'HOOK',
  'CALLING',
  'WAITING_CALLBACK',
  'JOINING',
  'SLEEPING',
  'SCHEDULED',
];

/** The most urgent token; of equals the one that has been there longest. A state that is unknown is looked at first. */
export function mostUrgent(places: readonly Place[]): Place | undefined {
  return places.toSorted(
    (a, b) => urgency.indexOf(a.state) - urgency.indexOf(b.state) || (a.since ?? 0) - (b.since ?? 0),
  )[0];
}

/** Why a run is where it is. The server's own sentence, where it makes one; else what its document says. */
export function sentenceOf(run: Execution, now: number): Sentence {
  if (run.why !== undefined && run.why.headline !== '') return run.why;
  if (!isOver(run)) return liveSentence(run, now);
  if (run.failureDescription !== undefined) {
    const [headline = '', ...rest] = run.failureDescription.replace(/[^.!?]$/, '$&.').split(/(?<=\.) /);
    return { headline, detail: [...rest, nextStep(run)].join(' ').trim() };
  }
  if (run.status === 'SUCCEEDED') {
    return { headline: 'It ran to its end.', detail: run.callbackWarning ?? '' };
  }
  return { headline: `It ended as ${run.status}.`, detail: nextStep(run) };
}

function nextStep(run: Execution): string {
  if (run.status === 'CORRUPTED') return 'Only an operator can end it: retry the undo, or settle it by hand.';
  return run.retryable ? 'A retry is possible.' : '';
}

function liveSentence(run: Execution, now: number): Sentence {
  const place = mostUrgent(run.currentNodes);
  if (place === undefined) return { headline: `It is ${run.status}.`, detail: 'A worker takes it up by itself.' };
  const others = run.currentNodes.length - 1;
  const more = others > 0 ? ` ${String(others)} more ${others === 1 ? 'token is' : 'tokens are'} under way.` : '';
  const detail = place.detail === undefined ? '' : place.detail.replace(/\.?$/, '.');
  return { headline: `${verbs[place.state]?.(place) ?? placeWords(place, now)}.`, detail: `${detail}${more}`.trim() };
}

const verbs: Readonly<Record<string, (place: Place) => string>> = {
  BLOCKED: ({ nodeId }) => `${nodeId} waits: its call may not go out now`,
  BACKOFF: ({ nodeId, attempt }) =>
    `${nodeId} waits for its next attempt${attempt === undefined ? '' : ` after attempt ${String(attempt)}`}`,
  COMPENSATING: ({ nodeId }) => `${nodeId} is being undone`,
  HOOK: ({ nodeId }) => `The hook ${nodeId} is being delivered`,
  CALLING: ({ nodeId }) => `${nodeId} is being called`,
  WAITING_CALLBACK: ({ nodeId }) => `${nodeId} waits for its callback`,
  JOINING: ({ nodeId }) => `${nodeId} waits for the other branches`,
  SLEEPING: ({ nodeId }) => `${nodeId === '' ? 'It' : nodeId} sleeps`,
  SCHEDULED: ({ nodeId }) => `${nodeId === '' ? 'It' : nodeId} is about to run`,
};
