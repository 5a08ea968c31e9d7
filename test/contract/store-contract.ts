/**
 * What every store must do, whatever it is made of. An adapter's test calls {@link storeContract} with a way to open an
 * empty store.
 */
import { afterEach, beforeEach, describe } from 'vitest';
import { auditLog } from './store/audit-log.ts';
import { checkpoints } from './store/checkpoints.ts';
import { definitions } from './store/definitions.ts';
import { due } from './store/due.ts';
import { effects } from './store/effects.ts';
import { items } from './store/items.ts';
import { families } from './store/families.ts';
import { familyRetention } from './store/family-retention.ts';
import { history } from './store/history.ts';
import { holds } from './store/holds.ts';
import { inbox } from './store/inbox.ts';
import { lists } from './store/lists.ts';
import { nameGlobs } from './store/name-globs.ts';
import { pages } from './store/pages.ts';
import { pendingHooks } from './store/pending-hooks.ts';
import { processes } from './store/processes.ts';
import { retention } from './store/retention.ts';
import { submissions } from './store/submissions.ts';
import { terminalChanges } from './store/terminal-changes.ts';
import type { OpenStore, StoreUnderTest } from './store/store-under-test.ts';

const parts: Readonly<Record<string, (test: StoreUnderTest) => void>> = {
  definitions,
  submissions,
  checkpoints,
  'changes of terminal executions': terminalChanges,
  'hooks that are still to be delivered': pendingHooks,
  'the inbox': inbox,
  history,
  'pages and large outputs': pages,
  effects,
  items,
  families,
  'retention of families': familyRetention,
  lists,
  'lists within globs of names': nameGlobs,
  'due scans': due,
  retention,
  holds,
  'processes and claims': processes,
  'the audit log': auditLog,
};

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

    for (const [title, part] of Object.entries(parts)) {
      describe(title, () => {
        part(test);
      });
    }
  });
}
