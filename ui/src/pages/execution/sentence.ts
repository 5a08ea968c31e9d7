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

/** Why a run is where it is: the server's sentence. A pod of an older version makes none; then what its document says. */
export function sentenceOf(run: Execution, now: number): Sentence {
  if (run.why !== undefined && run.why.headline !== '') return run.why;
  const place = isOver(run) ? undefined : mostUrgent(run.currentNodes);
  if (place !== undefined) return { headline: `${placeWords(place, now)}.`, detail: place.detail ?? '' };
  return { headline: run.failureDescription ?? `It is ${run.status}.`, detail: '' };
}
