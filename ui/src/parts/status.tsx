import type { ReactNode } from 'react';
import { Icon } from './icon.tsx';
import { outcomeLook, statusLook } from './words.ts';

/** The status of a run: its shape and the engine's word. */
export function Status({ word }: { readonly word: string }): ReactNode {
  const { icon, tone } = statusLook(word);
  return (
    <span className={`status ${tone}`}>
      <Icon name={icon} />
      {word === '' ? 'no status' : word}
    </span>
  );
}

/** The status of a run as a badge. */
export function StatusBadge({ word, large = false }: { readonly word: string; readonly large?: boolean }): ReactNode {
  const { icon, tone } = statusLook(word);
  return (
    <span className={`badge ${large ? 'large ' : ''}${tone}`}>
      <Icon name={icon} />
      {word === '' ? 'no status' : word}
    </span>
  );
}

/** The outcome of an attempt as a badge; what is unknown is hatched. */
export function OutcomeBadge({ word, text = word }: { readonly word: string; readonly text?: string }): ReactNode {
  const { icon, tone } = outcomeLook(word);
  return (
    <span className={`badge ${tone}${word === 'unknown' ? ' hatch' : ''}`}>
      <Icon name={icon} />
      {text}
    </span>
  );
}
