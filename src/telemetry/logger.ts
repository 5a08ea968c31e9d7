/**
 * The log: one JSON document per line, or lines for people. What is written is masked as text, after it was put together,
 * so that no field and no error can carry a secret past it. Control characters show as escapes: people read logs on terminals.
 */
import { isatty } from 'node:tty';
import pino from 'pino';
import { visibleJson, visibleLine } from '../core/value/visible-text.ts';
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
  /** Resolves once everything written has left, or after a moment without a reader. A second call does the same. */
  close(): Promise<void>;
}

/** How long a close waits for the reader of the log. */
const closeMillis = 2000;

/** What may wait for a reader, or for room on a disk; further lines are lost. */
const maxWaitingBytes = 8 * 1024 * 1024;

interface Destination {
  write(line: string): void;
  /** Calls `done` once everything is out. Nothing may be written afterwards. */
  end?(done: () => void): void;
}

/** Asynchronous: a slow terminal or pipe must not hold up executions. */
function openDescriptor(descriptor: number): Destination {
  const stream = pino.destination({ dest: descriptor, sync: false, maxLength: maxWaitingBytes });
  // A full disk must not end what it keeps from writing; pino itself ignores readers that have gone, and nothing else.
  stream.on('error', () => undefined);
  return {
    write: (line) => {
      stream.write(line);
    },
    end(done) {
      // An error means that the reader of the log has gone.
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

/** Opens a log. */
export async function createLog(options: LogOptions): Promise<Log> {
  const destination = await openDestination(options);
  const isPretty = options.format === 'pretty';
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Lines for people are made of the JSON once more, which would bring back what it escapes.
      hooks: { streamWrite: (line) => visibleJson(options.mask(line), isPretty) },
    },
    destination,
  );
  let closing: Promise<void> | undefined;
  return {
    writes: (level: LogLevel) => closing === undefined && logger.isLevelEnabled(level),
    write(level: LogLevel, message: string, fields: LogFields | undefined) {
      if (closing !== undefined) return;
      const text = isPretty ? visibleLine(message) : message;
      if (fields === undefined) logger[level](text);
      else logger[level](fields, text);
    },
    close() {
      closing ??= ended(destination);
      return closing;
    },
  };
}

/** Not synchronously: a flush that overtakes a write under way changes the order of lines, or loses one. */
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
