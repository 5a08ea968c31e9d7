/**
 * The last resort of a process: an unhandled exception or rejection leaves the process in an unknown state. The guard
 * logs it once, in the log's own format, stops the server in order without a long wait, and exits with {@link
 * exitCodes.broken}. A further error of this kind only ends the waiting.
 */
import { visibleLine } from '../../core/value/visible-text.ts';
import { exitCodes, type Terminal } from '../terminal.ts';

/** When the stop gives up calls in flight, and when it stops waiting for anything, in ms after the error. */
const patienceMillis = { calls: 3000, all: 6000 } as const;

/** The process' own part. */
export interface Work {
  /** Logs the error; returns a sentence about it where no log takes it. */
  lastWords(error: unknown): string | undefined;
  /** Ends the waiting of a stop. */
  hurry(): void;
  /** Stops in order. A second call waits for the first. */
  stop(): Promise<void>;
}

/** Guards the process until the returned function is called. */
export function guard(work: Work, terminal: Terminal): () => void {
  let isEnding = false;
  const end = (): void => {
    process.exit(exitCodes.broken);
  };
  const onUncaught = (thrown: unknown): void => {
    if (isEnding) {
      work.hurry();
      return;
    }
    isEnding = true;
    setTimeout(end, patienceMillis.all);
    setTimeout(() => {
      work.hurry();
    }, patienceMillis.calls);
    const sentence = wordsOf(work, thrown);
    if (sentence !== undefined) terminal.note(`An unhandled error ends the process: ${sentence}`);
    void work.stop().finally(end);
  };
  // Node passes unhandled rejections here, too.
  process.on('uncaughtException', onUncaught);
  return () => {
    process.off('uncaughtException', onUncaught);
  };
}

/** An error here would make Node end the process at once. */
function wordsOf(work: Work, error: unknown): string | undefined {
  try {
    return work.lastWords(error);
  } catch {
    return 'it cannot be written down.';
  }
}

/** Guards commands without a server: prints one sentence. Does nothing where a server is guarded. */
export function guardCommands(): void {
  process.on('uncaughtException', (error: unknown) => {
    if (process.listenerCount('uncaughtException') > 1) return;
    const message = error instanceof Error ? error.message : String(error);
    console.error(`An unhandled error ends the command: ${visibleLine(message)}`);
    process.exit(exitCodes.broken);
  });
}
