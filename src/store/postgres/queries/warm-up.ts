/** What every execution needs of a connection, asked of nothing: the server plans each once, and does nothing. */
import type { Statement } from '../connection/session.ts';
import { checkpointStatement } from './checkpoint.ts';
import { outputsStatement } from './read-outputs.ts';
import { submitStatement } from './submit.ts';
import { takeOverStatement } from './take-over.ts';

/** Statements that change nothing. */
export function warmUpStatements(): readonly Statement[] {
  return [submitStatement([], []), checkpointStatement([]), takeOverStatement([], 0, []), outputsStatement([])];
}
