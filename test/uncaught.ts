/** Errors that would have ended a process, gathered instead: for tests of what no client may let escape. */
import { onTestFinished } from 'vitest';

const events = ['uncaughtException', 'unhandledRejection'] as const;

/** Gathers uncaught errors and unhandled rejections until the test is over. */
export function gatherUncaught(): readonly unknown[] {
  const gathered: unknown[] = [];
  for (const event of events) {
    const others = process.rawListeners(event) as ((...args: unknown[]) => void)[];
    const gather = (error: unknown): void => {
      gathered.push(error);
    };
    process.removeAllListeners(event);
    process.on(event, gather);
    onTestFinished(() => {
      process.off(event, gather);
      for (const listener of others) process.on(event, listener);
    });
  }
  return gathered;
}
