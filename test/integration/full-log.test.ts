/** The log on a device that is always full. */
import { openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createLog } from '../../src/telemetry/logger.ts';
import { gatherUncaught } from '../uncaught.ts';

it('outlives a disk that is full', async () => {
  const uncaught = gatherUncaught();
  const destination = openSync('/dev/full', 'w');
  const log = await createLog({ level: 'info', format: 'json', mask: (line) => line, destination });
  for (let i = 0; i < 10; i++) {
    log.write('info', `line ${i}`, undefined);
    await pause(5);
  }
  await log.close();
  expect(uncaught).toEqual([]);
});
