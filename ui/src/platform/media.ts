import { useSyncExternalStore } from 'react';

/** Narrow screens, as in `styles/phone.css`. */
export const phoneQuery = '(max-width: 700px)';

/** Whether a media query holds; the component is drawn again when that changes. */
export function useMatches(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = matchMedia(query);
      list.addEventListener('change', listener);
      return () => {
        list.removeEventListener('change', listener);
      };
    },
    () => matchMedia(query).matches,
  );
}
