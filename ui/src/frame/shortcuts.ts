import { useEffect, useRef } from 'react';
import { shortcutsSetting } from '../platform/settings.ts';

/** Keys and what they do. `g f` is two keys in a row; `ctrl k` is one with Ctrl or Cmd. */
export type Shortcuts = Readonly<Record<string, () => void>>;

/** How long the second key of a pair may take. */
const pairMillis = 1200;

const fields: ReadonlySet<string> = new Set(['INPUT', 'TEXTAREA', 'SELECT']);

function isInField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (fields.has(target.tagName) || target.isContentEditable);
}

/**
 * Listens to keys while the component is shown. Single keys do nothing in fields, with Alt, Ctrl or Meta, over an open
 * dialog, or when the reader has switched them off. No key changes anything on the server.
 */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    let first: { key: string; at: number } | undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (document.querySelector('dialog[open]') !== null || event.defaultPrevented) return;
      const name = keyName(event, first);
      first = undefined;
      if (name === undefined) return;
      const action = Object.hasOwn(latest.current, name) ? latest.current[name] : undefined;
      if (action !== undefined) {
        event.preventDefault();
        action();
      } else if (name === 'g') first = { key: 'g', at: event.timeStamp };
    };
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('keydown', onKey);
    };
  }, []);
}

/** What a key event is called among the shortcuts; undefined if it is none. */
function keyName(event: KeyboardEvent, first: { key: string; at: number } | undefined): string | undefined {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.altKey) return undefined;
  if (event.ctrlKey || event.metaKey) return `ctrl ${key}`;
  if (isInField(event.target) || shortcutsSetting.get() === 'off') return undefined;
  // Enter and arrows belong to the element that has the focus.
  const onControl = event.target instanceof HTMLElement && event.target.closest('button, a, summary, [role=tab]');
  if (key.length > 1 && onControl !== null && onControl !== false) return undefined;
  return first !== undefined && event.timeStamp - first.at < pairMillis ? `${first.key} ${key}` : key;
}
