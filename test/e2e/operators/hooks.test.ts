/** Hooks whose receiver is away for longer than `hooks.maxMillis`, or whose circuit is open: they arrive in the end. */
import { describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { retries } from '../stage/definitions.ts';
import { openStage } from '../stage/stage.ts';
import { trama } from '../trama-process.ts';

const stage = openStage({
  HOOKS_MAXMILLIS: '300',
  CIRCUITBREAKER_FAILURETHRESHOLD: '3',
  CIRCUITBREAKER_OPENMILLIS: '500',
});

const run = (...args: readonly string[]): ReturnType<typeof trama> => trama(args, { TRAMA_URL: stage.url });

const hookIs =
  (state: string) =>
  ({ hook }: AnswerBody): boolean =>
    hook?.state === state;

async function metric(start: string): Promise<number | undefined> {
  const lines = (await (await fetch(`${stage.url}/metrics`)).text()).split('\n');
  const line = lines.find((one) => one.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
}

/** Runs a saga whose hook is answered so, until it is over. */
async function ended(name: string, answer: object): Promise<AnswerBody> {
  const saga = stage.saga(name);
  stage.downstream.script(`/${name}/won`, answer);
  const document = await stage.finish(
    saga.linear(['a'], { onSuccessCallback: saga.call('won'), failureHandling: retries(1_000, { delayMillis: 100 }) }),
  );
  expect(document).toMatchObject({
    status: 'SUCCEEDED',
    callbackWarning: expect.stringContaining('onSuccessCallback'),
  });
  return document;
}

describe('a hook whose receiver is away for longer than the end waits', () => {
  it('is delivered once it is back, by another process than the one that was killed in the middle of a call', async () => {
    const { id, hook, completedAt } = await ended('away', { cut: true });
    expect(hook).toMatchObject({ state: 'PENDING' });
    const before = stage.downstream.calls('/away/won').length;
    // The next call is asked for by hand; its process is killed before the answer.
    stage.downstream.script('/away/won', { after: new Promise(() => undefined) });
    // 409: its own time has come, and it is being called.
    expect([202, 409]).toContain(await stage.control(id, 'hook/redeliver'));
    await stage.downstream.arrival('/away/won', before + 1);
    await stage.kill('SIGKILL');
    stage.downstream.script('/away/won', {});
    await stage.start();
    const document = await stage.until(id, hookIs('DELIVERED'));
    expect(document).toMatchObject({ status: 'SUCCEEDED', completedAt });
    expect(document).not.toHaveProperty('callbackWarning');
    const calls = stage.downstream.calls('/away/won');
    expect(calls).toHaveLength(before + 2);
    expect(new Set(calls.map(({ key }) => key))).toEqual(new Set([`${id}:1:onSuccessCallback:1:HOOK`]));
    expect(document.hook.attempts).toBe(calls.length);
    const attempts = (await stage.calls(id)).filter(({ phase }) => phase === 'HOOK');
    expect(attempts.map(({ attempt }) => attempt)).toEqual(calls.map((_, i) => i + 1));
    expect(attempts.at(-2)).toMatchObject({ outcome: 'unknown' });
    expect(attempts.at(-1)).toMatchObject({ outcome: 'succeeded' });
  });

  it('is called again by itself, also after a restart in between', async () => {
    const { id } = await ended('by-itself', { cut: true });
    const before = stage.downstream.calls('/by-itself/won').length;
    await stage.kill('SIGTERM');
    stage.downstream.script('/by-itself/won', {});
    await stage.start();
    expect((await stage.show(id)).hook).toMatchObject({ state: 'PENDING', nextAt: expect.any(String) });
    await stage.downstream.arrival('/by-itself/won', before + 1);
    await stage.until(id, hookIs('DELIVERED'));
    expect(stage.downstream.calls('/by-itself/won')).toHaveLength(before + 1);
  });

  it('waits for an open circuit without spending calls, and arrives once that has closed', async () => {
    let isIll = true;
    const saga = stage.saga('ill-hook');
    stage.downstream.answer('/ill-hook/won', () => ({ status: isIll ? 500 : 200 }));
    const { id, hook, callbackWarning } = await stage.finish(
      saga.linear([], {
        steps: [{ name: 'a', up: { ...saga.call('a') } }],
        onSuccessCallback: saga.call('won'),
        failureHandling: retries(1_000),
      }),
    );
    expect(hook.state).toBe('PENDING');
    expect(callbackWarning).toContain(`circuit of ${stage.downstream.url} open`);
    const made = stage.downstream.calls('/ill-hook/won').length;
    expect(hook.attempts).toBeLessThanOrEqual(made);
    isIll = false;
    const { hook: settled } = await stage.until(id, hookIs('DELIVERED'));
    expect(settled.attempts).toBe(stage.downstream.calls('/ill-hook/won').length);
  });
});

describe('hooks', () => {
  it('are listed, counted, and redelivered by hand, one by one or all that failed', async () => {
    // Not called again by itself while this test runs.
    const waits = await ended('waiting', { status: 503, headers: { 'retry-after': '3600' } });
    const refused = await ended('refused', { status: 404 });
    expect(refused.hook).toEqual({ state: 'FAILED', attempts: 1 });
    const ids = async (...args: readonly string[]): Promise<readonly string[]> => {
      const { code, out } = await run('ls', ...args, '--json');
      expect(code).toBe(0);
      return JSON.parse(out).map(({ id }: AnswerBody) => id);
    };
    expect(await ids('--hook', 'failed')).toEqual([refused.id]);
    expect(await ids('--hook', 'pending')).toEqual([waits.id]);
    expect(await ids('--where', 'hook=failed,name=refused')).toEqual([refused.id]);
    expect((await run('ls', '--hook', 'odd')).code).toBe(2);
    expect(await metric('saga_hook_ended_total{saga_name="refused",saga_version="1",result="failed"}')).toBe(1);
    expect(await metric('saga_hooks_pending')).toBeGreaterThanOrEqual(1);
    const shown = await run('show', refused.id);
    expect(shown.out).toContain('FAILED after 1 call; onSuccessCallback failed');
    expect(shown.out).toContain(`trama hook redeliver ${refused.id}`);

    stage.downstream.script('/refused/won', {});
    const dry = await run('hook', 'redeliver', '--where', 'name=refused', '--dry-run');
    expect([dry.code, dry.out]).toEqual([0, `${refused.id}  would be: hook is called again\n`]);
    const all = await run('hook', 'redeliver', '--where', 'name=refused');
    expect([all.code, all.out]).toEqual([0, `${refused.id}  hook is called again\n`]);
    await stage.until(refused.id, hookIs('DELIVERED'));

    stage.downstream.script('/waiting/won', {});
    expect((await run('hook', 'redeliver', waits.id)).code).toBe(0);
    const { hook: delivered } = await stage.until(waits.id, hookIs('DELIVERED'));
    expect(delivered.attempts).toBe(2);
    const again = await run('hook', 'redeliver', waits.id);
    expect([again.code, again.notes]).toEqual([1, expect.stringContaining('The hook was delivered')]);
    expect((await run('hook', 'redeliver', '--force', waits.id)).code).toBe(0);
    await stage.until(waits.id, ({ hook }) => hook.state === 'DELIVERED' && hook.attempts === 3);
    expect(await metric('saga_hook_ended_total{saga_name="waiting",saga_version="1",result="late"}')).toBe(2);
    const entries = (await stage.ask('GET', `/audit?action=execution.redeliver&id=${waits.id}`)).body;
    expect(entries.map(({ outcome }: AnswerBody) => outcome)).toEqual(['done', 'state_conflict', 'done']);
  });
});
