import type { Statement } from '../connection/session.ts';
import { checkpointStatement } from './checkpoint.ts';
import { outputsStatement } from './read-outputs.ts';
import { submitStatement } from './submit.ts';
import { takeOverStatement } from './take-over.ts';

/** The statements that every execution needs, with empty batches: the server plans them and changes nothing. */
export function warmUpStatements(): readonly Statement[] {
  return [submitStatement([], []), checkpointStatement([]), takeOverStatement([], 0, []), outputsStatement([])];
}
