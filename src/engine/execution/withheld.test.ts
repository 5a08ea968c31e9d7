import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, type Reply, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { Engine } from '../engine.ts';

let fixture: RuntimeFixture;
let engine: Engine;
beforeEach(async () => {
  fixture = new RuntimeFixture();
  engine = await fixture.engine();
});
afterEach(() => fixture.close());

describe('the log', () => {
  it('has nothing that came from a payload or a person', async () => {
    const definition = graph([
      { kind: 'switch', id: 's', cases: [{ when: { var: 'payload.sleep' }, target: 'z' }], default: 'f' },
      { kind: 'fail', id: 'f', reason: 'No credit for {{payload.customer}}' },
      { kind: 'sleep', id: 'z', until: '{{payload.sleep}}' },
    ]);
    const failed = await fixture.submit(engine, definition, { payload: { customer: 'Ann' } });
    expect((await fixture.until(failed)).failureDescription).toBe('No credit for Ann');
    const sleepless = await fixture.submit(engine, definition, { payload: { sleep: 'Ann' } });
    await fixture.until(sleepless);
    const cancelled = await fixture.submit(engine, graph([{ kind: 'sleep', id: 'z', durationMillis: 60_000 }]));
    await fixture.offer(engine, cancelled, { type: 'cancelled', inboxId: 'c', reason: 'Ann asked' });
    expect((await fixture.until(cancelled)).status).toBe('CANCELLED');
    expect(fixture.logs.filter(({ message }) => message === 'saga finished')).toHaveLength(3);
    expect(JSON.stringify(fixture.logs)).not.toContain('Ann');
  });

  it.each<[string, Reply]>([
    ['{{payload.url}}/a', { error: 'connect', message: 'getaddrinfo ENOTFOUND canary.example' }],
    ['http://{{payload.host}}/a', { error: 'connect', sent: true, message: 'connect ECONNRESET canary.example' }],
    ['{{{payload.url}}}/a?canary=1', { error: 'refused', message: 'Egress refused: canary.example is private.' }],
    ['http://{{payload.host}}:80/a', { error: 'timeout', message: 'No whole answer of canary.example came in time.' }],
  ])('names the template %s of a host that comes from data: %j', async (url, reply) => {
    fixture.http.reply = () => reply;
    const request = { url, verb: 'POST' };
    const definition = graph(
      [
        task('a', {
          action: { request },
          compensation: false,
          failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1 },
        }),
      ],
      { onFailureCallback: request },
    );
    const payload = { url: 'http://canary.example', host: 'canary.example' };
    const detail = await fixture.until(await fixture.submit(engine, definition, { payload }));
    // The execution shows it to readers who may see it.
    expect(detail.failureDescription).toContain('canary.example');
    const said = JSON.stringify(fixture.logs);
    expect(said).not.toContain('canary');
    expect(said).toContain(`The call to ${url.replace('?canary=1', '')} had no answer`);
  });

  it('names hosts that a definition names', async () => {
    fixture.http.reply = () => ({ error: 'connect', message: 'connect ECONNREFUSED 10.0.0.1:80' });
    await fixture.until(await fixture.submit(engine, graph([task('a', { compensation: false })])));
    expect(JSON.stringify(fixture.logs)).toContain('connect ECONNREFUSED 10.0.0.1:80');
  });

  it('has nothing of a path that was made of data', async () => {
    const request = { url: 'http://mock/{{{payload.path}}}', verb: 'POST' };
    const definition = graph([task('a', { action: { request }, compensation: false })]);
    const detail = await fixture.until(await fixture.submit(engine, definition, { payload: { path: 'canary/../x' } }));
    expect(detail.failureDescription).toBe("The URL's path /canary/../x has a dot segment.");
    expect(JSON.stringify(fixture.logs)).not.toContain('canary');
    expect(JSON.stringify(fixture.logs)).toContain("The URL's path has a dot segment.");
  });

  it('has nothing of what an operator gave as the reason', async () => {
    fixture.http.reply = () => ({ status: 503 });
    const definition = graph([
      task('a', { compensation: false, failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 60_000 } }),
    ]);
    const id = await fixture.submit(engine, definition);
    await fixture.clock.advance(100);
    await fixture.offer(engine, id, {
      type: 'resolved',
      inboxId: 'r',
      nodeId: 'a',
      visit: 1,
      phase: 'UP',
      outcome: 'failed',
      reason: 'canary called',
    });
    expect((await fixture.until(id)).failureDescription).toContain('canary called');
    expect(JSON.stringify(fixture.logs)).not.toContain('canary');
  });
});
