import { describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';
import { trama } from '../trama-process.ts';

const stage = openStage();

/** What a command answers when it is run against the stage's server. */
function run(...args: readonly string[]): ReturnType<typeof trama> {
  return trama(args, { TRAMA_URL: stage.url });
}

async function failed(name: string): Promise<string> {
  const saga = stage.saga(name);
  stage.downstream.script(`/${name}/b`, { status: 422 });
  const { id, status } = await stage.finish(saga.linear(['a', 'b']));
  expect(status).toBe('FAILED');
  return id;
}

async function corrupted(name: string): Promise<string> {
  stage.downstream.script(`/${name}/undo-a`, { status: 400 });
  const saga = stage.saga(name);
  stage.downstream.script(`/${name}/b`, { status: 422 });
  const { id, status } = await stage.finish(saga.linear(['a', 'b']));
  expect(status).toBe('CORRUPTED');
  return id;
}

describe('trama ls', () => {
  it('lists what matches, as a table or as JSON', async () => {
    const id = await failed('listed');
    const table = await run('ls', '--where', 'status=FAILED,name=listed');
    expect(table.code).toBe(0);
    const [head, row, ...rest] = table.out.trimEnd().split('\n');
    expect(head).toMatch(/^id +status +name +version +started +why$/);
    expect(row).toMatch(new RegExp(`^${id}  FAILED  listed  1 +\\S+  status_4xx at b$`));
    expect(rest).toEqual([]);
    const json = await run('ls', '--where', 'name=listed', '--json');
    expect(JSON.parse(json.out)).toMatchObject([{ id, name: 'listed' }]);
    const none = await run('ls', '--where', 'name=nothing');
    expect([none.code, none.out, none.notes]).toEqual([0, '', 'Nothing matches.\n']);
  });

  it('goes on where a page ended', async () => {
    const ids = [await failed('paged'), await failed('paged')];
    const first = await run('ls', '--where', 'name=paged', '--limit', '1', '--json');
    const cursor = /--cursor (\S+)/.exec(first.notes)?.[1];
    const second = await run('ls', '--where', 'name=paged', '--limit', '1', '--cursor', cursor ?? '', '--json');
    const seen = [first, second].map(({ out }) => JSON.parse(out)[0].id);
    expect(seen).toEqual(ids.toReversed());
  });

  it.each([
    [['--where', 'colour=red'], /knows status, name/],
    [['--where', 'name'], /form name=value/],
    [['--where', 'standing=maybe'], /true, false, unknown or succeeded/],
  ])('is used wrongly with %j', async (args, sentence) => {
    const { code, notes } = await run('ls', ...args);
    expect(code).toBe(2);
    expect(notes).toMatch(sentence);
  });

  it('says what the server refuses, and that there is none', async () => {
    const refused = await run('ls', '--where', 'status=GONE');
    expect([refused.code, refused.notes]).toMatchObject([1, expect.stringContaining('status')]);
    const away = await trama(['ls', '--url', 'http://127.0.0.1:1']);
    expect([away.code, away.notes]).toMatchObject([2, expect.stringContaining('cannot be reached')]);
    const nowhere = await trama(['ls']);
    expect([nowhere.code, nowhere.notes]).toMatchObject([2, expect.stringContaining('--url or TRAMA_URL')]);
  });

  it('names the compensation that failed, and not the node before it', async () => {
    await corrupted('undone');
    const { out } = await run('ls', '--where', 'name=undone');
    expect(out).toMatch(/ CORRUPTED .* compensation of a\n$/);
  });

  it('finds what waits for a host and what failed there', async () => {
    const id = await failed('at-host');
    const { host } = new URL(stage.downstream.url);
    const found = await run('ls', '--host', host, '--where', 'name=at-host');
    expect(found.out).toContain(id);
    const other = await run('ls', '--host', 'bank.example', '--where', 'name=at-host');
    expect([other.code, other.notes]).toEqual([0, 'Nothing matches.\n']);
    expect((await run('ls', '--host', 'x', '--where', 'host=y')).code).toBe(2);
  });
});

describe('trama top', () => {
  it('counts by definition, reason, node and host', async () => {
    await failed('counted');
    await failed('counted');
    const { code, out } = await run('top', '--where', 'name=counted');
    expect(code).toBe(0);
    expect(out).toMatch(/^count +status\n +2 +FAILED\n/);
    expect(out).toMatch(/\ncount +definition\n +2 +counted\n/);
    expect(out).toMatch(/\ncount +reason\n +2 +status_4xx\n/);
    expect(out).toMatch(/\ncount +node\n +2 +b\n/);
    expect(out).toMatch(/\ncount +host\n +2 +127\.0\.0\.1:\d+\n/);
    const json = await run('top', '--where', 'name=counted', '--limit', '1', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ counted: 2, more: false, names: [{ value: 'counted', count: 2 }] });
    const none = await run('top', '--where', 'name=nothing');
    expect([none.code, none.notes]).toEqual([0, 'Nothing matches.\n']);
  });
});

describe('trama show', () => {
  it('says how it stands, what happened, what is left and what to do', async () => {
    const id = await corrupted('shown');
    const { code, out } = await run('show', id);
    expect(code).toBe(0);
    expect(out).toContain(`shown 1 ${id}: CORRUPTED`);
    expect(out).toMatch(/timeline:\n +\d+ ms {2}UP +a +succeeded \(200\) +POST/);
    expect(out).toMatch(/compensations:\n {2}node +state +attempts +status +error\n {2}a +FAILED +1 +400/);
    expect(out).toMatch(/standing:\n {2}still stands: a \(visit 1, succeeded\)/);
    expect(out).toContain(`trama resolve ${id} --node a --visit 1 --phase DOWN`);
    expect(JSON.parse((await run('show', id, '--json')).out)).toMatchObject({ id, status: 'CORRUPTED' });
  });

  it('says why it waits', async () => {
    await run('hold', 'put', 'shown', '--name', 'waiting', '--reason', 'bank closed');
    const id = await stage.run(stage.saga('waiting').linear(['a']));
    await stage.until(id, ({ currentNodes }) => currentNodes[0]?.state === 'BLOCKED');
    expect((await run('show', id)).out).toMatch(/waits:\n.*\n {2}a +BLOCKED +1 .* held: bank closed/);
    await run('hold', 'rm', 'shown');
    await stage.untilEnd(id);
  });

  it('knows no other run', async () => {
    const { code, notes } = await run('show', '01a2151f-6a3f-762a-bb5e-83da5c914138');
    expect([code, notes]).toMatchObject([1, expect.stringContaining('There is no execution')]);
  });
});

describe('trama retry', () => {
  it('runs ids again, and says which are refused', async () => {
    const id = await failed('again');
    const dry = await run('retry', id, '--dry-run');
    expect([dry.code, dry.out]).toEqual([0, `${id}  would be: queued again\n`]);
    expect((await stage.show(id)).round).toBe(1);
    stage.downstream.script('/again/b', {});
    const done = await run('retry', id);
    expect([done.code, done.out]).toEqual([0, `${id}  queued again\n`]);
    expect((await stage.untilStatus(id, 'SUCCEEDED')).round).toBe(2);
    const refused = await run('retry', id, '--json');
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out)).toMatchObject({ matched: 1, done: 0, ids: [], errors: [{ id }] });
  });

  it('runs all that match again, but not in a dry run', async () => {
    const ids = [await failed('many'), await failed('many'), await failed('many')];
    stage.downstream.script('/many/b', {});
    const dry = await run('retry', '--where', 'name=many', '--dry-run', '--json');
    expect(JSON.parse(dry.out)).toMatchObject({ matched: 3, done: 0, more: false });
    const some = await run('retry', '--where', 'name=many', '--max', '2');
    expect(some.code).toBe(1);
    expect(some.notes).toContain('There are more: run it again.');
    const rest = await run('retry', '--where', 'name=many,status=FAILED');
    expect(rest.code).toBe(0);
    for (const id of ids) expect((await stage.untilStatus(id, 'SUCCEEDED')).round).toBe(2);
  });

  it.each([[[]], [['id', '--where', 'name=x']], [['--where', 'name=x', '--force']], [['--where', '']]])(
    'is used wrongly with %j',
    async (args) => {
      expect((await run('retry', ...args)).code).toBe(2);
    },
  );
});

describe('what runs', () => {
  it('is woken, cancelled and terminated', async () => {
    const nap = (name: string): object => ({
      name,
      version: '1',
      entrypoint: 's',
      nodes: [{ kind: 'sleep', id: 's', duration: 'PT1H' }],
    });
    const ids = await Promise.all(['woken', 'called-off', 'ended'].map((name) => stage.run(nap(name))));
    for (const id of ids) await stage.untilStatus(id, 'SLEEPING');
    expect((await run('wake', '--where', 'name=woken')).code).toBe(0);
    expect((await run('cancel', ids[1]!, '--reason', 'by mistake')).code).toBe(0);
    expect((await run('terminate', ids[2]!)).code).toBe(0);
    const ends = await Promise.all(ids.map((id) => stage.untilEnd(id)));
    expect(ends.map(({ status }) => status)).toEqual(['SUCCEEDED', 'CANCELLED', 'TERMINATED']);
    expect(ends[1].failureDescription).toBe('Cancelled: by mistake');
    const shown = await run('show', ids[1]!);
    expect(shown.out).toMatch(/changes:\n {2}at +who +what +details\n {2}\S+ +anonymous +cancel +reason=by mistake\n/);
    const log = await run('audit', ids[1]!);
    expect(log.out).toMatch(
      /^at +who +what +outcome .*\n\S+ +anonymous +execution\.cancel +done .* reason=by mistake\n$/,
    );
    const whole = await run('audit', '--action', 'execution.cancel', '--target', ids[1]!, '--json');
    expect(JSON.parse(whole.out)).toMatchObject([{ id: ids[1], action: 'execution.cancel' }]);
    expect((await run('audit', ids[1]!, '--actor', 'x')).code).toBe(2);
    expect((await run('audit', '01a2151f-6a3f-762a-bb5e-83da5c914138')).code).toBe(1);
  });

  it('is told what it waits for where a wake of many finds nothing that sleeps', async () => {
    stage.downstream.script('/slow/a', { status: 503 });
    const retries = { failureHandling: { type: 'retry', maxAttempts: 3, delayMillis: 3_600_000 } };
    const id = await stage.run({ ...stage.saga('slow').linear(['a']), ...retries });
    await stage.until(id, ({ currentNodes }) => currentNodes[0]?.state === 'BACKOFF');
    const woken = await run('wake', '--where', 'name=slow');
    expect([woken.code, woken.notes]).toEqual([
      0,
      '0 done, 0 refused.\nOthers match and wait for something that wake does not change: 1 BACKOFF (for their next attempt).\n',
    ]);
    const cancelled = await run('cancel', '--host', new URL(stage.downstream.url).host, '--reason', 'over');
    expect([cancelled.code, cancelled.out]).toEqual([0, `${id}  cancelling\n`]);
    const { status, failureDescription, changes } = await stage.untilEnd(id);
    expect([status, failureDescription]).toEqual(['CANCELLED', 'Cancelled: over']);
    expect(changes).toMatchObject([{ action: 'cancel', details: { bulk: true, reason: 'over' } }]);
  });
});

describe('trama resolve', () => {
  it('settles a compensation by hand, once', async () => {
    const id = await corrupted('settled');
    const args = ['resolve', id, '--node', 'a', '--phase', 'DOWN', '--outcome', 'succeeded', '--reason', 'by phone'];
    const done = await run(...args);
    expect([done.code, done.out]).toEqual([0, `${id}  a DOWN is settled as succeeded\n`]);
    expect((await stage.untilStatus(id, 'FAILED')).compensations).toMatchObject([{ nodeId: 'a', state: 'RESOLVED' }]);
    expect((await run(...args)).code).toBe(1);
    expect((await run('resolve', id, '--node', 'a')).code).toBe(2);
  });
});

describe('trama hold', () => {
  it('places, lists and lifts', async () => {
    const put = await run(
      'hold',
      'put',
      'bank',
      '--host',
      'Bank.Example',
      '--reason',
      'closed',
      '--until',
      '2h',
      '--json',
    );
    const hold = JSON.parse(put.out);
    expect(hold).toMatchObject({ id: 'bank', host: 'bank.example', reason: 'closed' });
    expect(Date.parse(hold.until) - Date.parse(hold.createdAt)).toBeGreaterThan(7_190_000);
    await run('hold', 'put', 'v1', '--name', 'order', '--definition-version', '1', '--reason', 'wrong');
    const list = await run('hold', 'list');
    expect(list.out).toMatch(
      /^id +what +until +by +reason\nbank +bank\.example +\S+ +closed\nv1 +definition order 1 +lifted +wrong\n$/,
    );
    const mistyped = await run('hold', 'rm', 'bnk');
    expect([mistyped.code, mistyped.notes]).toEqual([1, 'There is no hold bnk. Holds in force: bank, v1.\n']);
    for (const id of ['bank', 'v1']) expect((await run('hold', 'rm', id)).out).toBe(`${id} is lifted\n`);
    const none = await run('hold', 'list');
    expect([none.code, none.out, none.notes]).toEqual([0, '', 'There are no holds.\n']);
    const refused = await run('hold', 'put', 'bad', '--reason', 'r');
    expect([refused.code, refused.notes]).toMatchObject([1, expect.stringContaining('either host or name')]);
    expect((await run('hold', 'put', 'bad', '--host', 'h', '--reason', 'r', '--until', 'later')).code).toBe(2);
  });
});
