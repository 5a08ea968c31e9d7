/** Secrets and callback tokens on every way out: masked by value, also where a downstream echoes them. */
import { expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const secret = 's3cr3t-value-"quoted"';
const stage = openStage({
  TRAMA_SECRET_API_KEY: secret,
  TRAMA_SECRET_PIN: '48151623',
  TRAMA_VAR_REGION: 'north',
  LOGGING_LEVEL: 'debug',
});
const { downstream } = stage;
let token: string;

it('shows neither, wherever they come from', async () => {
  const saga = stage.saga('masked');
  let echoed = '';
  downstream.script('/masked/ask', {
    status: 202,
    meanwhile: (request) => (echoed = request.body),
    headers: { 'x-echo': 's3cr3t-value-"quoted"', 'set-cookie': 'session=abc' },
  });
  downstream.script('/masked/echo', { body: JSON.stringify({ got: secret, plain: 'seen', pin: 48151623 }) });
  downstream.script('/masked/bad', { status: 400, body: JSON.stringify({ message: `no such key ${secret}` }) });
  const request = saga.call('ask', {
    url: `${downstream.url}/masked/ask?key={{secrets.API_KEY}}`,
    headers: {
      Authorization: 'Bearer {{secrets.API_KEY}}',
      'X-Region': '{{vars.REGION}}',
      Cookie: 'c={{secrets.API_KEY}}',
    },
    body: { key: '{{secrets.API_KEY}}', to: '{{runtime.callback.signedUrl}}', token: '{{runtime.callback.token}}' },
  });
  const id = await stage.run(
    saga.graph([
      saga.asyncTask('ask', {
        next: 'echo',
        action: { mode: 'async', request, callback: { timeoutMillis: 60_000 } },
      }),
      saga.task('echo', { next: 'bad' }),
      { ...saga.task('bad', {}, { body: 'echo: {{nodes.echo.response.body.got}}' }) },
    ]),
    { labels: { note: 'plain' } },
  );
  const sent = await downstream.arrival('/masked/ask');
  // The downstream gets the real ones.
  expect(sent.headers.authorization).toBe(`Bearer ${secret}`);
  expect(sent.headers['x-region']).toBe('north');
  expect(JSON.parse(sent.body).key).toBe(secret);
  expect(sent.path).toBe(`/masked/ask?key=${encodeURIComponent(secret)}`);
  const { to } = JSON.parse(sent.body) as { to: string };
  ({ token } = JSON.parse(sent.body) as { token: string });
  await stage.untilStatus(id, 'WAITING_CALLBACK');
  await stage.callBack(to, { echo: secret, token });
  const document = await stage.untilEnd(id);
  expect(document).toMatchObject({ status: 'FAILED', failedNodeId: 'bad' });
  // Templates see an echo as it is.
  expect(downstream.calls('/masked/bad')[0]!.body).toBe(`echo: ${secret}`);
  expect(echoed).toContain(token);

  const ways = ['', '/steps', '/steps/calls', '/events', '/definition', '/retry-preview'].map(
    (path) => `/workflows/${id}${path}`,
  );
  const leaks: string[] = [];
  for (const way of [...ways, '/workflows', '/metrics']) {
    const { text } = await stage.ask('GET', way);
    const values = ['s3cr3t-value', encodeURIComponent(secret), token, 'session=abc', '48151623'];
    leaks.push(...values.filter((value) => text.includes(value)).map((value) => `${way}: ${value}`));
  }
  expect(leaks).toEqual([]);
  const calls = await stage.calls(id);
  expect(calls[0].requestHeaders).toMatchObject({ authorization: '***', 'x-region': 'north' });
  expect(calls[0].requestUrl).toContain('key=***');
  expect(calls[1].responseBody).toEqual({ got: '***', plain: 'seen', pin: '***' });
  expect((await stage.steps(id)).find((step) => step.stepName === 'echo')?.responseBody).toEqual(calls[1].responseBody);
});

it('sends nothing where a secret or variable is missing', async () => {
  const saga = stage.saga('missing');
  for (const name of ['secrets.NOT_THERE', 'vars.NOT_THERE']) {
    const document = await stage.finish(saga.graph([saga.task('a', {}, { body: `x {{${name}}}` })]));
    expect(document).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    expect(document.failureDescription).toContain(name);
  }
  expect(downstream.order('/missing/')).toEqual([]);
});

it('writes neither into its log', async () => {
  const { out, notes } = await stage.kill('SIGTERM');
  const log = out + notes;
  expect(log).toContain('saga finished');
  for (const value of ['s3cr3t-value', token, 'session=abc']) expect(log).not.toContain(value);
});
