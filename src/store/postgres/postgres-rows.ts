import type { StoredRows } from '../encoded-store.ts';
import type { Connections } from './connection/connections.ts';
import { Gathered } from './gathered.ts';
import { listAudit } from './queries/audit.ts';
import { countChildren } from './queries/count-children.ts';
import { listDefinitionNames, listDefinitions } from './queries/definitions.ts';
import { countActive, listDue } from './queries/due.ts';
import {
  findStanding,
  findUndo,
  listEffects,
  listStandingRequests,
  type StandingWanted,
  type UndoWanted,
} from './queries/effects.ts';
import { getExecutions, getProgress } from './queries/get-execution.ts';
import { listExecutions } from './queries/list-executions.ts';
import { listCalls, listSteps } from './queries/list-history.ts';
import { readClaims } from './queries/read-claims.ts';
import { readInbox } from './queries/read-inbox.ts';
import { type OutputsWanted, readOutputs } from './queries/read-outputs.ts';
import { CompletedRemoval, sweep } from './queries/remove-completed.ts';
import { beginning, type UndoPositions } from './undo-positions.ts';

/** The stored rows of Postgres; `positions` are those of its searches for compensations. Concurrent reads of single executions share a statement. */
export function postgresRows(connections: Connections, positions: UndoPositions): StoredRows {
  const executions = new Gathered((ids: readonly string[]) => getExecutions(connections, ids));
  const progress = new Gathered((ids: readonly string[]) => getProgress(connections, ids));
  const inboxes = new Gathered((ids: readonly string[]) => readInbox(connections, ids));
  const outputs = new Gathered((wanted: readonly OutputsWanted[]) => readOutputs(connections, wanted));
  const undos = new Gathered((wanted: readonly UndoWanted[]) => findUndo(connections, wanted));
  const standing = new Gathered((wanted: readonly StandingWanted[]) => findStanding(connections, wanted));
  const removal = new CompletedRemoval(connections);
  return {
    listDefinitions: (...args) => listDefinitions(connections, ...args),
    listDefinitionNames: (...args) => listDefinitionNames(connections, ...args),
    readClaims: (ids) => readClaims(connections, ids),
    readInbox: (id) => inboxes.ask(id),
    readOutputs: (id, round, queries, maxBytes) => outputs.ask({ id, round, queries, maxBytes }),
    async findUndo(id, round, filter) {
      const search = positions.search(id);
      const found = await undos.ask({ id, round, filter, from: beginning(search, round, filter) });
      const { undoRank: rank, undoSort: sort } = found ?? {};
      if (typeof rank === 'number' && typeof sort === 'number')
        positions.reached(search, round, filter, { rank, sort });
      return found;
    },
    listEffects: (...args) => listEffects(connections, ...args),
    findStanding: (id, nodeId, visit, round) => standing.ask({ id, nodeId, visit, round }),
    listStandingRequests: (...args) => listStandingRequests(connections, ...args),
    getExecution: (id) => executions.ask(id),
    getProgress: (id) => progress.ask(id),
    listExecutions: (...args) => listExecutions(connections, ...args),
    countChildren: (...args) => countChildren(connections, ...args),
    listSteps: (...args) => listSteps(connections, ...args),
    listCalls: (...args) => listCalls(connections, ...args),
    listDue: (...args) => listDue(connections, ...args),
    countActive: (shards) => countActive(connections, shards),
    listAudit: (...args) => listAudit(connections, ...args),
    async removeCompleted(before, limit) {
      const removed = await removal.remove(before, limit);
      return { removed, isEnd: removed < limit };
    },
    sweep: (before) => sweep(connections, before),
  };
}
