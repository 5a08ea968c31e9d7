/**
 * What every store must do, whatever it is made of. An adapter's test calls {@link storeContract} with a way to open an
 * empty store.
 */
import { afterEach, beforeEach, describe } from 'vitest';
import { checkpoints } from './store/checkpoints.ts';
import { definitions } from './store/definitions.ts';
import { due } from './store/due.ts';
import { effects } from './store/effects.ts';
import { history } from './store/history.ts';
import { inbox } from './store/inbox.ts';
import { lists } from './store/lists.ts';
import { retention } from './store/retention.ts';
import { submissions } from './store/submissions.ts';
import { terminalChanges } from './store/terminal-changes.ts';
import type { OpenStore, StoreUnderTest } from './store/store-under-test.ts';

/** Runs the suite on the stores that `open` makes. */
export function storeContract(name: string, open: () => Promise<OpenStore>): void {
  describe(name, () => {
    let opened: OpenStore;
    const test: StoreUnderTest = {
      get store() {
        return opened.store;
      },
      async reopen() {
        if (opened.reopen === undefined) return false;
        const store = await opened.reopen();
        opened = { ...opened, store };
        return true;
      },
    };
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());

    describe('definitions', () => definitions(test));
    describe('submissions', () => submissions(test));
    describe('checkpoints', () => checkpoints(test));
    describe('changes of terminal executions', () => terminalChanges(test));
    describe('the inbox', () => inbox(test));
    describe('history', () => history(test));
    describe('effects', () => effects(test));
    describe('lists', () => lists(test));
    describe('due scans', () => due(test));
    describe('retention', () => retention(test));
  });
}
