import { storagePrefix } from './address.ts';
import { createStore, type Store } from './store.ts';

/** A choice of the reader, kept in this browser. Nothing about runs is ever kept. */
function createSetting<T extends string>(name: string, choices: readonly [T, ...T[]]): Store<T> {
  const key = storagePrefix + name;
  const kept = read(key);
  const store = createStore<T>(choices.find((choice) => choice === kept) ?? choices[0]);
  return {
    ...store,
    set: (value) => {
      store.set(value);
      write(key, value);
    },
  };
}

/** A browser may refuse storage, as with blocked cookies; the choice then lasts as long as the page. */
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice lasts as long as the page.
  }
}

/** The zone in which all times are shown. */
export type Zone = 'utc' | 'local';

/** The zone of all times. */
export const zoneSetting: Store<Zone> = createSetting<Zone>('zone', ['utc', 'local']);

/** The colour scheme. */
export const schemeSetting: Store<'system' | 'light' | 'dark'> = createSetting('scheme', ['system', 'light', 'dark']);

/** Whether single keys are shortcuts (WCAG 2.1.4). */
export const shortcutsSetting: Store<'on' | 'off'> = createSetting('shortcuts', ['on', 'off']);

/** Applies the colour scheme to the document, now and after each change. */
export function followScheme(): void {
  const apply = (): void => {
    const scheme = schemeSetting.get();
    if (scheme === 'system') delete document.documentElement.dataset['scheme'];
    else document.documentElement.dataset['scheme'] = scheme;
  };
  apply();
  schemeSetting.subscribe(apply);
}
