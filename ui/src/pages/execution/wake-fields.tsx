import type { ReactNode } from 'react';
import type { Execution } from '../../api/executions.ts';

/** What a wake ends. */
export type WakeKind = 'sleep' | 'retry' | 'blocked';

const kinds: readonly { readonly kind: WakeKind; readonly states: readonly string[]; readonly text: string }[] = [
  { kind: 'sleep', states: ['SLEEPING', 'SCHEDULED'], text: 'sleeps, and the wait for the start' },
  { kind: 'retry', states: ['BACKOFF'], text: 'the wait for the next attempt: it is made now, and counts as usual' },
  {
    kind: 'blocked',
    states: ['BLOCKED'],
    text: 'blocked calls: they ask again now, and one probes an open circuit; a hold keeps them',
  },
];

/** What of a run waits in a way that a wake can end. */
export function wakeableOf(run: Execution): readonly WakeKind[] {
  const states = new Set(run.currentNodes.map(({ state }) => state));
  return kinds.filter((each) => each.states.some((state) => states.has(state))).map(({ kind }) => kind);
}

/** Chooses which waits end. Only those that the run has can be chosen. */
export function WakeFields({
  run,
  what,
  onChange,
}: {
  readonly run: Execution;
  readonly what: readonly WakeKind[];
  readonly onChange: (what: readonly WakeKind[]) => void;
}): ReactNode {
  const possible = wakeableOf(run);
  if (possible.length === 0) return <p className="muted">Nothing waits any more.</p>;
  return (
    <fieldset className="choices column">
      <legend className="sr">What ends</legend>
      {kinds
        .filter(({ kind }) => possible.includes(kind))
        .map(({ kind, text }) => (
          <label key={kind}>
            <input
              type="checkbox"
              checked={what.includes(kind)}
              onChange={(event) => {
                onChange(event.target.checked ? [...what, kind] : what.filter((each) => each !== kind));
              }}
            />
            <b>{kind}</b> {text}
          </label>
        ))}
    </fieldset>
  );
}
