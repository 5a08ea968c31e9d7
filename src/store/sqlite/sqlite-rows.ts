import type { StoredRows } from '../encoded-store.ts';
import type { SqliteThread } from './sqlite-thread.ts';

/** The stored rows of SQLite, as the thread reads them. */
export function sqliteRows(thread: SqliteThread): StoredRows {
  return {
    listDefinitions: (...args) => thread.call('listDefinitions', ...args),
    listDefinitionNames: (...args) => thread.call('listDefinitionNames', ...args),
    readClaims: (ids) => thread.call('readClaims', ids),
    readInbox: (id) => thread.call('readInbox', id),
    readOutputs: (...args) => thread.call('readOutputs', ...args),
    findUndo: (...args) => thread.call('findUndo', ...args),
    listEffects: (...args) => thread.call('listEffects', ...args),
    findStanding: (...args) => thread.call('findStanding', ...args),
    listStandingRequests: (...args) => thread.call('listStandingRequests', ...args),
    getExecution: (id) => thread.call('getExecution', id),
    getProgress: (id) => thread.call('getProgress', id),
    listExecutions: (...args) => thread.call('listExecutions', ...args),
    countChildren: (...args) => thread.call('countChildren', ...args),
    listSteps: (...args) => thread.call('listSteps', ...args),
    listCalls: (...args) => thread.call('listCalls', ...args),
    listDue: (...args) => thread.call('listDue', ...args),
    countActive: (shards) => thread.call('countActive', shards),
    listAudit: (...args) => thread.call('listAudit', ...args),
    removeCompleted: (before, limit) => thread.call('removeCompleted', before, limit),
    sweep: (before) => thread.call('sweep', before),
  };
}
