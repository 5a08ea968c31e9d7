import { compileDefinition } from '../../core/definition/compile.ts';
import type { Plan } from '../../core/plan.ts';
import type { Json } from '../../core/value/json.ts';
import { readNotedDefinition } from './document-file.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

/**
 * Reads and compiles a definition, for commands without a server; `-` is standard input.
 *
 * @throws CliProblem when the file cannot be read or has no valid definition.
 */
export function planOfFile(file: string, terminal: Pick<Terminal, 'note'>): Plan {
  return compileNoted(file, readNotedDefinition(file, terminal));
}

/**
 * Compiles a definition that was read from a file.
 *
 * @throws CliProblem when it is not valid.
 */
export function compileNoted(file: string, definition: Json): Plan {
  // The hash only names the plan, which never leaves this process.
  const compiled = compileDefinition(definition, { hash: '' });
  if (compiled.ok) return compiled.plan;
  const problems = compiled.errors.map((line) => `  - ${line}`);
  throw new CliProblem([`${file} is no valid definition:`, ...problems], exitCodes.found);
}
