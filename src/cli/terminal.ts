/** What commands know of the world that they were started in, and how they speak to it. */
import { visibleLine, visibleLines } from '../core/value/visible-text.ts';
import { hasColours, paint } from './view/paint.ts';

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
  /** One line of results for people: as `out`, with colours where the terminal shows them. */
  show(line: string): void;
  /** Several lines of results, such as indented JSON: line feeds stay, so that no text from outside may stand in it as it is. */
  outText(text: string): void;
  /** One line of progress, a warning, an error; as `out`. */
  note(line: string): void;
  /** Several lines of those; as `outText`. */
  noteText(text: string): void;
  /**
   * How far long work has come. On a terminal the line replaces the one before, and goes away with the next line of anything else; elsewhere
   * it is a note, one every two seconds at most.
   */
  progress(line: string): void;
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

/** What the streams can do beyond taking text. */
export interface TerminalLooks {
  /** Whether standard output shows colours. */
  readonly outColours: boolean;
  /** Whether standard error shows colours. */
  readonly errColours: boolean;
  /** Whether a line of standard error can be written over. */
  readonly overwrites: boolean;
}

const plain: TerminalLooks = { outColours: false, errColours: false, overwrites: false };

/** Lines of progress come at most this often: where each replaces the last, and where each stays. */
const progressMillis = { live: 100, kept: 2_000 } as const;
/** A line that goes beyond the width of the terminal could not be written over. */
const maxProgressLength = 78;
/** To the beginning of the line, and clears it. */
const eraseLine = '\r\u001b[2K';

/** A terminal over two streams: all that commands print passes here, and nothing in it can steer what shows it. */
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
