/** What the parts of the store's contract suite work on. */
import type { Store } from '../../../src/ports/store.ts';

/** An empty, open store. */
export interface OpenStore {
  readonly store: Store;
  /** Closes it and opens it anew on the same data, where data outlive a store. */
  readonly reopen?: () => Promise<Store>;
  /** Closes the store that is open and removes its data. */
  readonly close: () => Promise<void>;
}

/** The store of the running test. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Reopens it; false where data do not outlive a store. */
  reopen(): Promise<boolean>;
}
