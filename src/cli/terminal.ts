/** The surroundings of commands, and how commands print to them. */
import { visibleLine, visibleLines } from '../core/value/visible-text.ts';
import { hasColours, paint } from './view/paint.ts';

/** Exit codes, the same for every command. */
export const exitCodes: {
  /** All is well. */
  readonly good: 0;
  /** The command worked and found a problem: an invalid definition, a saga that did not succeed, a failed start. */
  readonly found: 1;
  /** Wrong use of the command, or the command could not do its work. */
  readonly wrong: 2;
  /** An unhandled error ended the process (EX_SOFTWARE of sysexits.h). */
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
   * Prints one line of results, for scripts. Control characters of the text, line breaks included, show as escapes, so
   * that text of a server or a file can neither steer the terminal nor forge a line.
   */
  out(line: string): void;
  /** Prints one line of results for people: as `out`, with colours where the terminal shows them. */
  show(line: string): void;
  /**
   * Prints several lines of results, such as indented JSON. Line feeds stay, so foreign text must be escaped before.
   */
  outText(text: string): void;
  /** Prints one line of progress, a warning or an error, as `out`. */
  note(line: string): void;
  /** Prints several such lines, as `outText`. */
  noteText(text: string): void;
  /**
   * Shows the progress of long work. On a terminal the line replaces the one before, and disappears with the next other
   * line; elsewhere it is a note, one every two seconds at most.
   */
  progress(line: string): void;
  /** Whether `out` goes to people. */
  readonly isInteractive: boolean;
  /** The exit code of the process once the command is done. */
  exitCode: number;
}

/** The outputs of a terminal; each text ends with a line break. */
export interface TerminalStreams {
  out(text: string): void;
  err(text: string): void;
}

/** The abilities of the streams beyond taking text. */
export interface TerminalLooks {
  /** Whether standard output shows colours. */
  readonly outColours: boolean;
  /** Whether standard error shows colours. */
  readonly errColours: boolean;
  /** Whether a line of standard error can be overwritten. */
  readonly overwrites: boolean;
}

const plain: TerminalLooks = { outColours: false, errColours: false, overwrites: false };

/** Shortest times between lines of progress: where each replaces the last, and where each stays. */
const progressMillis = { live: 100, kept: 2_000 } as const;
/** A line wider than the terminal could not be overwritten. */
const maxProgressLength = 78;
/** Moves to the beginning of the line, and clears it. */
const eraseLine = '\r\u001b[2K';

/** A terminal over two streams: everything that commands print passes through it, and no text can steer the display. */
export function createTerminal(
  streams: TerminalStreams,
  env: Terminal['env'],
  isInteractive: boolean,
  { outColours, errColours, overwrites }: TerminalLooks = plain,
): Terminal {
  let isShown = false;
  let last = performance.now();
  const clear = (): void => {
    if (isShown) streams.err(eraseLine);
    isShown = false;
  };
  const write = (to: 'out' | 'err', text: string): void => {
    clear();
    streams[to](`${text}\n`);
  };
  return {
    env,
    out: (line) => {
      write('out', visibleLine(line));
    },
    show: (line) => {
      const text = visibleLine(line);
      write('out', outColours ? paint(text) : text);
    },
    outText: (text) => {
      write('out', visibleLines(text));
    },
    note: (line) => {
      const text = visibleLine(line);
      write('err', errColours ? paint(text) : text);
    },
    noteText: (text) => {
      write('err', visibleLines(text));
    },
    progress: (line) => {
      const now = performance.now();
      if (now - last < (overwrites ? progressMillis.live : progressMillis.kept)) return;
      last = now;
      const text = visibleLine(line);
      if (!overwrites) {
        write('err', text);
        return;
      }
      streams.err(`${eraseLine}${text.slice(0, maxProgressLength)}`);
      isShown = true;
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
    {
      outColours: hasColours(process.stdout),
      errColours: hasColours(process.stderr),
      overwrites: process.stderr.isTTY && process.env['TERM'] !== 'dumb',
    },
  );
  // The reader (`| head`) may go away: the rest of the output then has no reader, which is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    terminal.exitCode = exitCodes.wrong;
    // The command may have ended already, and its exit code may have been read.
    process.exitCode = exitCodes.wrong;
    terminal.note(`The output cannot be written: ${error.message}`);
  });
  process.stderr.on('error', () => undefined);
  return terminal;
}
