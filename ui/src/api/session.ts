import { storagePrefix } from '../platform/address.ts';
import { createStore, type Store } from '../platform/store.ts';

const keyName = `${storagePrefix}key`;

function keptKey(): string | undefined {
  try {
    return sessionStorage.getItem(keyName) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * The API key that the reader has typed. It lives as long as the tab: servers without a sign-in of their own know only
 * the header.
 */
export const apiKey: Store<string | undefined> = createStore(keptKey());

/** Keeps the key for this tab, or forgets it. */
export function keepKey(key: string | undefined): void {
  try {
    if (key === undefined) sessionStorage.removeItem(keyName);
    else sessionStorage.setItem(keyName, key);
  } catch {
    // Storage is refused: the key lasts as long as the page.
  }
  apiKey.set(key);
}

/** Whether the server has refused a request for lack of valid credentials. */
export const needsSignIn: Store<boolean> = createStore(false);

/** What the connection to the server is like. */
export interface Connection {
  /** When the latest answer came, by the server's clock; undefined before the first. */
  readonly asOf?: number;
  /** Since when requests have failed; undefined while they succeed. */
  readonly lostSince?: number;
}

/** The state of the connection, for the banner. */
export const connection: Store<Connection> = createStore<Connection>({});
