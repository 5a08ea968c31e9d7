/** A disk that is full: nothing more is taken in, nothing that was is lost, and the process lives on. */
import { expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
/** Room for some dozens of the runs below. */
const maxFileBlocks = 2400;

it('refuses what it cannot keep with 503, and goes on once there is room', async () => {
  await stage.kill('SIGTERM');
  await stage.start(maxFileBlocks);
  const definition = stage.saga('kept').graph([{ kind: 'sleep', id: 'nap', duration: 'PT1H' }]);
  const accepted: string[] = [];
  let refused = await stage.ask('GET', '/workflows');
  for (let n = 0; n < 400 && refused.status === 200; n++) {
    const answer = await stage.ask('POST', '/workflows/run', { definition, payload: { n, text: 'x'.repeat(20_000) } });
    if (answer.status === 200) accepted.push(answer.body.id);
    else refused = answer;
  }
  expect(refused).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(accepted).not.toEqual([]);
  expect((await stage.ask('GET', '/healthz')).status).toBe(200);
  expect((await stage.kill('SIGTERM')).code).toBe(0);

  await stage.start();
  for (const id of accepted) expect(await stage.show(id)).toMatchObject({ id, status: 'SLEEPING' });
  expect(await stage.finish(stage.saga('after').linear(['a']))).toMatchObject({ status: 'SUCCEEDED' });
});
