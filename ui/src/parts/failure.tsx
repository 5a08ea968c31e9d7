import type { ReactNode } from 'react';
import { ApiFailure } from '../api/client.ts';
import { Icon } from './icon.tsx';

/** Why a panel has nothing to show, in sentences. */
export function failureSentences(error: unknown): { readonly title: string; readonly sentences: readonly string[] } {
  if (!(error instanceof ApiFailure)) return { title: 'This did not work.', sentences: [String(error)] };
  const { status, sentences } = error;
  if (error.isMissingRoute) {
    return { title: 'This server does not know this yet.', sentences: ['A newer version of Trama has it.'] };
  }
  if (status === 403) return { title: 'You may not see or do this.', sentences };
  if (status === 404) return { title: 'Not found.', sentences: ['It is no longer kept, or not yours to see.'] };
  if (status === 401) return { title: 'Sign in to see this.', sentences };
  if (status === 0) return { title: 'No answer.', sentences };
  return { title: `The server answered ${String(status)}.`, sentences };
}

/** A failure in place of a panel's content. It never takes more of the page than its panel. */
export function Failure({ error }: { readonly error: unknown }): ReactNode {
  const { title, sentences } = failureSentences(error);
  return (
    <div className="empty" role="alert">
      <Icon name="info" />
      <b>{title}</b>
      {sentences.map((sentence) => (
        <span key={sentence}>{sentence}</span>
      ))}
    </div>
  );
}

/** Shown until the first answer is there; nothing moves. */
export function Loading({ what = 'Loading' }: { readonly what?: string }): ReactNode {
  return (
    <div className="empty" role="status">
      {what}…
    </div>
  );
}
