/** A call that takes longer than the server ever lives: no kill may be blamed on the execution. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { attempts, openStage } from '../stage/stage.ts';

const stage = openStage();
/** More than the claims after which an execution that never gets anywhere is quarantined. */
const kills = 6;
/** A process that lives on this long with an execution shows that it is not what ends processes. */
const lifeMillis = 1_300;

it('goes on after every kill, and ends well', async () => {
  const never = new Promise(() => undefined);
  stage.downstream.script('/slow/a', ...Array.from({ length: kills }, () => ({ after: never })), {});
  const id = await stage.run(stage.saga('slow').linear(['a']));
  for (let kill = 1; kill <= kills; kill++) {
    await stage.downstream.arrival('/slow/a', kill);
    await pause(lifeMillis);
    await stage.kill();
    await stage.start();
  }
  expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', round: 1 });
  expect(new Set(stage.downstream.calls('/slow/a').map(({ key }) => key))).toEqual(new Set([`${id}:1:a:1:UP`]));
  expect(attempts(await stage.calls(id))).toEqual([
    ...Array.from({ length: kills }, (_, i) => `a UP ${i + 1} unknown`),
    `a UP ${kills + 1} succeeded`,
  ]);
});
