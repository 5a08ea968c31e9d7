/** Stopping and starting: the order in which a server stops, what it serves meanwhile, and who may use its directory. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempts, Stage } from '../stage/stage.ts';
import { trama } from '../trama-process.ts';

const stage = new Stage({ REDIS_QUEUE_CONSUMER_PROCESSINGTIMEOUTMILLIS: '1000', LOGGING_LEVEL: 'info' });
const { downstream } = stage;
beforeAll(() => stage.open());
afterAll(() => stage.close());

const messagesOf = (out: string): string[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

describe('SIGTERM', () => {
  it('awaits calls in flight while requests are served, then stops in order with exit code 0', async () => {
    const saga = stage.saga('drained');
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/drained/a', { after: answer.promise });
    const id = await stage.run(saga.linear(['a', 'b']));
    await downstream.arrival('/drained/a');
    const { process } = stage;
    process.child.kill('SIGTERM');
    await process.said(/stopping: no more claims/);
    const ready = await stage.ask('GET', '/readyz');
    expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('shutting_down')]);
    expect((await stage.ask('GET', '/healthz')).status).toBe(200);
    // Taken in, and run by the next process.
    const accepted = await stage.run(stage.saga('accepted').linear(['a']));
    expect((await stage.show(id)).status).toBe('IN_PROGRESS');
    answer.resolve(undefined);
    const { code, out } = await process.ended;
    expect(code).toBe(0);
    expect(messagesOf(out).filter((message) => /^(stop|close)/.test(message))).toEqual([
      'stopping: no more claims',
      'stopping: left the cluster',
      'stopping: drained',
      'stopping: flushed',
      'stopping: no more requests',
      'stopped',
      'closed',
    ]);
    expect(downstream.order('/accepted/')).toEqual([]);

    await stage.start();
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    // The answer was kept: nothing came twice.
    expect(downstream.order('/drained/')).toEqual(['a', 'b']);
    expect(attempts(await stage.calls(id))).toEqual(['a UP 1 succeeded', 'b UP 1 succeeded']);
    expect(await stage.untilEnd(accepted)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('twice does not wait for calls: they come again after the start', async () => {
    const saga = stage.saga('hurried');
    downstream.script('/hurried/a', { after: new Promise(() => undefined) }, {});
    const id = await stage.run(saga.linear(['a']));
    await downstream.arrival('/hurried/a');
    const { process } = stage;
    process.child.kill('SIGTERM');
    await process.said(/stopping: no more claims/);
    process.child.kill('SIGTERM');
    expect((await process.ended).code).toBe(0);
    await stage.start();
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.calls('/hurried/a').map(({ key }) => key)).toEqual([`${id}:1:a:1:UP`, `${id}:1:a:1:UP`]);
  });
});

describe('a pause past the lease', () => {
  it('loses nothing and decides nothing twice', async () => {
    const saga = stage.saga('paused');
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/paused/a', { after: answer.promise });
    const id = await stage.run(saga.linear(['a', 'b']));
    await downstream.arrival('/paused/a');
    const { child } = stage.process;
    child.kill('SIGSTOP');
    answer.resolve(undefined);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill('SIGCONT');
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.calls('/paused/b')).toHaveLength(1);
    expect(new Set(downstream.calls('/paused/a').map(({ key }) => key)).size).toBe(1);
  });
});

describe('a data directory', () => {
  it('is refused to a second process, which says so', async () => {
    const { code, notes, out } = await trama(['serve', '--port', '0', '--data-dir', stage.dataDir]);
    expect(code).toBe(1);
    expect(notes + out).toContain(`The data directory ${stage.dataDir} is in use by another Trama process.`);
    expect((await stage.ask('GET', '/readyz')).status).toBe(200);
  });
});
