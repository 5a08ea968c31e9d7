/** All operations of the worker, prepared on one connection, and which of them write. */
import type { OperationName, Operations } from './protocol.ts';
import { appendAudit, listAudit } from './queries/audit.ts';
import { changeTerminal } from './queries/change-terminal.ts';
import { checkpoint } from './queries/checkpoint.ts';
import { countActive } from './queries/count-active.ts';
import { countChildren } from './queries/count-children.ts';
import {
  deleteDefinition,
  getDefinition,
  getDefinitionBody,
  listDefinitionNames,
  listDefinitions,
  putDefinition,
} from './queries/definitions.ts';
import { exportCounts, exportRows } from './queries/export-rows.ts';
import { findDue, listDue } from './queries/find-due.ts';
import { findStanding, listStandingRequests } from './queries/find-standing.ts';
import { findUndo } from './queries/find-undo.ts';
import { getExecution, getProgress } from './queries/get-execution.ts';
import { listEffects } from './queries/list-effects.ts';
import { listExecutions } from './queries/list-executions.ts';
import { listCalls, listSteps } from './queries/list-history.ts';
import { offer } from './queries/offer.ts';
import { readClaims } from './queries/read-claims.ts';
import { readInbox } from './queries/read-inbox.ts';
import { readOutputs } from './queries/read-outputs.ts';
import { removeCompleted } from './queries/remove-completed.ts';
import { changeSetting, getSetting, initSetting } from './queries/settings.ts';
import { submit } from './queries/submit.ts';
import { sweep } from './queries/sweep.ts';
import { takeOver } from './queries/take-over.ts';
import { terminateChildren } from './queries/terminate-children.ts';
import type { Session } from './session.ts';

/** Operations that change something: they run in a transaction and are durable before their answer leaves. */
export const writing: ReadonlySet<OperationName> = new Set<OperationName>([
  'putDefinition',
  'deleteDefinition',
  'submit',
  'takeOver',
  'checkpoint',
  'changeTerminal',
  'terminateChildren',
  'offer',
  'appendAudit',
  'initSetting',
  'changeSetting',
  'removeCompleted',
  'sweep',
]);

/** Prepares every statement. */
export function prepareOperations(session: Session): Operations {
  const alive = session.one('SELECT 1');
  return {
    ping: () => void alive(),
    putDefinition: putDefinition(session),
    getDefinition: getDefinition(session),
    listDefinitions: listDefinitions(session),
    listDefinitionNames: listDefinitionNames(session),
    deleteDefinition: deleteDefinition(session),
    getDefinitionBody: getDefinitionBody(session),
    submit: submit(session),
    takeOver: takeOver(session),
    readClaims: readClaims(session),
    checkpoint: checkpoint(session),
    changeTerminal: changeTerminal(session),
    terminateChildren: terminateChildren(session),
    offer: offer(session),
    readInbox: readInbox(session),
    readOutputs: readOutputs(session),
    findUndo: findUndo(session),
    listEffects: listEffects(session),
    findStanding: findStanding(session),
    listStandingRequests: listStandingRequests(session),
    getExecution: getExecution(session),
    getProgress: getProgress(session),
    listExecutions: listExecutions(session),
    countChildren: countChildren(session),
    listSteps: listSteps(session),
    listCalls: listCalls(session),
    findDue: findDue(session),
    listDue: listDue(session),
    countActive: countActive(session),
    appendAudit: appendAudit(session),
    listAudit: listAudit(session),
    getSetting: getSetting(session),
    initSetting: initSetting(session),
    changeSetting: changeSetting(session),
    removeCompleted: removeCompleted(session),
    sweep: sweep(session),
    exportCounts: exportCounts(session),
    exportRows: exportRows(session),
  };
}
