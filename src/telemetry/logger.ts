/**
 * The log: one JSON document per line, or lines for people. What is written is masked as text, after it was put together,
 * so that no field and no error can carry a secret past it.
 */
import { isatty } from 'node:tty';
import pino from 'pino';
import type { LogFields, LogLevel } from '../ports/telemetry.ts';
import type { LogSink } from './prometheus-telemetry.ts';

/** How and where to log. */
export interface LogOptions {
  /** The least severe level that is written. */
  readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  readonly format: 'json' | 'pretty';
  /** Masks secrets and callback tokens in a finished line. */
  mask(line: string): string;
  /** Where lines go: a file descriptor (1 by default), or a function for tests. */
  readonly destination?: number | ((line: string) => void);
}

/** A log that has to be closed, so that nothing written last is lost. */
export interface Log extends LogSink {
  /** Writes out what is still buffered. A second call does nothing more. */
  close(): void;
}

interface Destination {
  write(line: string): void;
  flushSync?(): void;
}

async function openDestination({ format, destination = 1 }: LogOptions): Promise<Destination> {
  const sink: Destination =
    typeof destination === 'number'
      ? // Asynchronous: a slow terminal or pipe must not hold up executions.
        pino.destination({ dest: destination, sync: false })
      : { write: destination };
  if (format === 'json') return sink;
  const { prettyFactory } = await import('pino-pretty');
  const render = prettyFactory({
    colorize: typeof destination === 'number' && isatty(destination),
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  return {
    write(line) {
      sink.write(render(line) ?? line);
    },
    ...(sink.flushSync === undefined ? {} : { flushSync: () => sink.flushSync?.() }),
  };
}

/** Opens a log. */
export async function createLog(options: LogOptions): Promise<Log> {
  const destination = await openDestination(options);
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: (line) => options.mask(line) },
    },
    destination,
  );
  return {
    writes: (level: LogLevel) => logger.isLevelEnabled(level),
    write(level: LogLevel, message: string, fields: LogFields | undefined) {
      if (fields === undefined) logger[level](message);
      else logger[level](fields, message);
    },
    close() {
      try {
        destination.flushSync?.();
      } catch (error) {
        // Before its file is open the stream refuses to flush; then nothing of consequence was written yet.
        if (!(error instanceof Error && error.message.includes('not ready'))) throw error;
      }
    },
  };
}
