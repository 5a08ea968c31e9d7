/** What commands know of the world that they were started in, and how they speak to it. */
import { visibleLine, visibleLines } from '../core/visible-text.ts';

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
  /**
   * One line of results: what a script would read. Control characters of the text, line breaks included, show as escapes, so
   * that nothing which a server or a file says can steer the terminal or forge a line.
   */
  out(line: string): void;
  /** Several lines of results, such as indented JSON: line feeds stay, so that no text from outside may stand in it as it is. */
  outText(text: string): void;
  /** One line of progress, a warning, an error; as `out`. */
  note(line: string): void;
  /** Several lines of those; as `outText`. */
  noteText(text: string): void;
  /** Whether people read what goes to `out`. */
  readonly isInteractive: boolean;
  /** What the process exits with once the command is done. */
  exitCode: number;
}

/** Where a terminal writes; each text ends with a line break. */
export interface TerminalStreams {
  out(text: string): void;
  err(text: string): void;
}

/** A terminal over two streams: all that commands print passes here, and nothing in it can steer what shows it. */
export function createTerminal(streams: TerminalStreams, env: Terminal['env'], isInteractive: boolean): Terminal {
  return {
    env,
    out: (line) => {
      streams.out(`${visibleLine(line)}\n`);
    },
    outText: (text) => {
      streams.out(`${visibleLines(text)}\n`);
    },
    note: (line) => {
      streams.err(`${visibleLine(line)}\n`);
    },
    noteText: (text) => {
      streams.err(`${visibleLines(text)}\n`);
    },
    isInteractive,
    exitCode: exitCodes.good,
  };
}

/** The process's own terminal. */
export function processTerminal(): Terminal {
  const terminal = createTerminal(
    { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
    process.env,
    process.stdout.isTTY,
  );
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
