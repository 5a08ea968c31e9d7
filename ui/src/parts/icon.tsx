import type { ReactNode } from 'react';
import iconsUrl from '../styles/icons.svg?url';

/** An icon of the sheet. It never says anything alone: a word stands beside it, or its button has a name. */
export function Icon({ name, small = false }: { readonly name: string; readonly small?: boolean }): ReactNode {
  return (
    <svg className={small ? 'ic ic-s' : 'ic'} aria-hidden="true">
      <use href={`${iconsUrl}#${name}`} />
    </svg>
  );
}
