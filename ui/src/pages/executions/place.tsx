import type { ReactNode } from 'react';
import type { Place, Summary } from '../../api/executions.ts';
import { countdownText } from '../../platform/times.ts';
import { Icon } from '../../parts/icon.tsx';
import { isOver, type Look, stateLook } from '../../parts/words.ts';

/** Where a token is, in words: `BACKOFF at charge, 00:43`. The host is named where it holds the call up. */
export function placeWords({ state, nodeId, until, host, item }: Place, now: number, status = ''): string {
  const node = `at ${nodeId}${item === undefined ? '' : ` [${item}]`}`;
  const left = until === undefined || until <= now ? '' : `, ${countdownText(until - now)}`;
  // The status says it already.
  const word = state === status ? '' : `${state} `;
  return `${word}${node}${left}${host === undefined || state !== 'BLOCKED' ? '' : `, ${host}`}`;
}

/** Where a run stands, in words and with the look of it. */
function standsAt(run: Summary, now: number): { readonly look?: Look; readonly text: string } {
  if (run.failedCompensations.length > 0) {
    const [first, ...others] = run.failedCompensations;
    const more = others.length === 0 ? '' : ` and ${String(others.length)} more`;
    return { look: { icon: 'stands', tone: 'is-stands' }, text: `${first?.nodeId ?? ''}${more} not undone` };
  }
  if (run.place !== undefined && !isOver(run))
    return { look: stateLook(run.place.state), text: placeWords(run.place, now, run.status) };
  if (run.callbackWarning !== undefined)
    return { look: { icon: 'pl-hook', tone: 'is-blocked' }, text: 'over, but its hook gave up' };
  if (run.failedNodeId !== undefined) return { text: `failed at ${run.failedNodeId}` };
  return { text: '–' };
}

/** The cell of the list that says where the run stands. */
export function StandsAt({ run, now }: { readonly run: Summary; readonly now: number }): ReactNode {
  const { look, text } = standsAt(run, now);
  return (
    <span className={`place ${look === undefined ? '' : `st ${look.tone}`}`}>
      {look !== undefined && <Icon name={look.icon} />}
      <span className="cut">{text}</span>
    </span>
  );
}
