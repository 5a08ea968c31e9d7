import { isatty } from 'node:tty';
import pino from 'pino';
import { visibleJson, visibleLine } from '../core/value/visible-text.ts';
import type { LogFields, LogLevel } from '../ports/telemetry.ts';
import type { LogSink } from './prometheus-telemetry.ts';

/** Options of the log. */
export interface LogOptions {
  /** The least severe level to write. */
  readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  readonly format: 'json' | 'pretty';
  /** Masks secrets and callback tokens in a finished line. */
  mask(line: string): string;
  /** Destination of lines: a file descriptor (1 by default), or a function for tests. */
  readonly destination?: number | ((line: string) => void);
}

/** A log that must be closed, so that its last lines are not lost. */
export interface Log extends LogSink {
  /**
   * Resolves once everything is written, or after {@link closeMillis} without a reader. A second call does the same.
   */
  close(): Promise<void>;
}

/** From the least severe. */
const severities: readonly LogOptions['level'][] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** How long a close waits for the reader of the log. */
const closeMillis = 2000;

/** Bytes that may wait for a slow reader or a full disk; further lines are dropped. */
const maxWaitingBytes = 8 * 1024 * 1024;

interface Destination {
  write(line: string): void;
  /** Calls `done` once everything is written. No write may follow. */
  end?(done: () => void): void;
}

/**
 * Asynchronous: a slow terminal or pipe must not delay executions. The lines wait as bytes, because the stream counts the
 * bytes of all waiting text again with every further line.
 */
function openDescriptor(descriptor: number): Destination {
  const stream = pino.destination({ dest: descriptor, sync: false, maxLength: maxWaitingBytes, contentMode: 'buffer' });
  const bytes = stream as unknown as { write(line: Buffer): void };
  // A full disk must not end the process that logs; pino itself ignores only a closed pipe.
  stream.on('error', () => undefined);
  return {
    write: (line) => {
      bytes.write(Buffer.from(line));
    },
    end(done) {
      // An error means that the reader of the log is gone.
      stream.once('finish', done).once('error', done);
      stream.end();
    },
  };
}

async function openDestination({ format, destination = 1 }: LogOptions): Promise<Destination> {
  const sink: Destination = typeof destination === 'number' ? openDescriptor(destination) : { write: destination };
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
    ...(sink.end === undefined ? {} : { end: (done: () => void) => sink.end?.(done) }),
  };
}

/**
 * Opens a log: one JSON document per line, or lines for people. Masks each finished line as text, so that no field and
 * no error can leak a secret. Escapes control characters, because people read logs on terminals.
 */
export async function createLog(options: LogOptions): Promise<Log> {
  const destination = await openDestination(options);
  const isPretty = options.format === 'pretty';
  const leastSevere = severities.indexOf(options.level);
  let closing: Promise<void> | undefined;
  const writes = (level: LogLevel): boolean => closing === undefined && severities.indexOf(level) >= leastSevere;
  return {
    writes,
    write(level: LogLevel, message: string, fields: LogFields | undefined) {
      if (!writes(level)) return;
      const msg = isPretty ? visibleLine(message) : message;
      const line = JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg });
      // Lines for people are rendered from the JSON, which would restore the characters that it escapes.
      destination.write(visibleJson(options.mask(`${line}\n`), isPretty));
    },
    close() {
      closing ??= ended(destination);
      return closing;
    },
  };
}

/** Asynchronous: a synchronous flush that overtakes a write under way reorders or loses lines. */
function ended(destination: Destination): Promise<void> {
  return new Promise((resolve) => {
    if (destination.end === undefined) {
      resolve();
      return;
    }
    const giveUp = setTimeout(resolve, closeMillis);
    destination.end(() => {
      clearTimeout(giveUp);
      resolve();
    });
  });
}
