/** What commands know of the world that they were started in, and how they speak to it. */

/** Exit codes, the same for every command. */
export const exitCodes: {
  /** All is well. */
  readonly good: 0;
  /** The command worked and found something: an invalid definition, a saga that did not succeed, a failed start. */
  readonly found: 1;
  /** The command was used wrongly, or could not do its work. */
  readonly wrong: 2;
  /** An error that nothing handles ended the process (EX_SOFTWARE of sysexits.h). */
  readonly broken: 70;
} = { good: 0, found: 1, wrong: 2, broken: 70 };

/** Ends a command with sentences for people, without a stack. */
export class CliProblem extends Error {
  override readonly name = 'CliProblem';
  readonly lines: readonly string[];
  readonly exitCode: number;

  constructor(lines: readonly string[] | string, exitCode: number = exitCodes.wrong) {
    const all = typeof lines === 'string' ? [lines] : lines;
    super(all.join('\n'));
    this.lines = all;
    this.exitCode = exitCode;
  }
}

/** The surroundings of a command. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results: what a script would read. Adds a line break. */
  out(text: string): void;
  /** Progress, warnings, errors. Adds a line break. */
  note(text: string): void;
  /** Whether people read what goes to `out`. */
  readonly isInteractive: boolean;
  /** What the process exits with once the command is done. */
  exitCode: number;
}

/** The process's own terminal. */
export function processTerminal(): Terminal {
  const terminal: Terminal = {
    env: process.env,
    out: (text) => process.stdout.write(`${text}\n`),
    note: (text) => process.stderr.write(`${text}\n`),
    isInteractive: process.stdout.isTTY,
    exitCode: exitCodes.good,
  };
  // Whoever reads (`| head`) may go away: what is left to say then has no reader, and that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    terminal.exitCode = exitCodes.wrong;
    // The command may be over already, and its exit code taken.
    process.exitCode = exitCodes.wrong;
    terminal.note(`The output cannot be written: ${error.message}`);
  });
  process.stderr.on('error', () => undefined);
  return terminal;
}
