/** `auth` on calls of a real server: secrets from files, a token server, a downstream, and secrets bound to hosts. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';
import { ScriptedDownstream } from '../stage/downstream.ts';

const clientSecret = 'cl1ent & secret:value';
const password = 'p4ss:wörd-value';
const tokens = [randomBytes(24).toString('base64url'), randomBytes(24).toString('base64url')] as const;
const stage = openStage({
  TRAMA_SECRET_CLIENT_ID: 'trama client',
  TRAMA_SECRET_CLIENT_SECRET: clientSecret,
  TRAMA_SECRET_USER: 'ledger',
  TRAMA_SECRET_PASSWORD: password,
  TRAMA_SECRET_ELSEWHERE: 'bound-elsewhere-value',
  TRAMA_SECRET_PORT: 'bound-to-port-1-value',
  SECRETS_HOSTS: JSON.stringify({
    CLIENT_SECRET: ['127.0.0.1'],
    ELSEWHERE: ['api.example', '*.partner.example'],
    PORT: ['127.0.0.1:1'],
  }),
  LOGGING_LEVEL: 'debug',
});
const { downstream } = stage;

const oauth = (path: string): object => ({
  type: 'oauth2ClientCredentials',
  tokenUrl: `${downstream.url}${path}`,
  clientIdSecret: 'CLIENT_ID',
  clientSecretSecret: 'CLIENT_SECRET',
  scope: 'pay',
});

it('gives calls what their auth names, renews a token that was refused, and shows none of it', async () => {
  const saga = stage.saga('authenticated');
  downstream.script(
    '/token',
    { body: { access_token: tokens[0], token_type: 'Bearer', expires_in: 3600 } },
    { body: { access_token: tokens[1], token_type: 'Bearer', expires_in: 3600 } },
  );
  // The first token has been revoked.
  downstream.answer('/authenticated/pay', ({ headers }) => ({
    status: headers.authorization === `Bearer ${tokens[1]}` ? 200 : 401,
    body: { seen: headers.authorization, encoded: Buffer.from(`x:${tokens[1]}`).toString('base64') },
    headers: { 'x-seen': headers.authorization ?? '' },
  }));
  downstream.answer('/authenticated/book', ({ headers }) => ({ body: { seen: headers.authorization, password } }));
  const id = await stage.run(
    saga.graph([
      saga.task('pay', { next: 'again' }, { auth: oauth('/token') }),
      saga.task('again', { next: 'book' }, { auth: oauth('/token'), body: '{{nodes.pay.response.body.seen}}' }),
      saga.task('book', {}, { auth: { type: 'basic', usernameSecret: 'USER', passwordSecret: 'PASSWORD' } }),
    ]),
  );
  expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });

  const asked = downstream.calls('/token');
  expect(asked.map(({ verb, body }) => `${verb} ${body}`)).toEqual(
    Array.from({ length: 2 }, () => 'POST grant_type=client_credentials&scope=pay'),
  );
  expect(asked[0]!.headers.authorization).toBe(
    `Basic ${Buffer.from('trama+client:cl1ent+%26+secret%3Avalue').toString('base64')}`,
  );
  const paid = downstream.calls('/authenticated/pay');
  expect(paid.map(({ headers }) => headers.authorization)).toEqual(tokens.map((token) => `Bearer ${token}`));
  expect(new Set(paid.map(({ key }) => key)).size).toBe(1);
  const [again] = downstream.calls('/authenticated/again');
  expect(again!.headers.authorization).toBe(`Bearer ${tokens[1]}`);
  expect(again!.body).toBe('Bearer ***');
  expect(downstream.calls('/authenticated/book')[0]!.headers.authorization).toBe(
    `Basic ${Buffer.from(`ledger:${password}`).toString('base64')}`,
  );

  const ways = ['', '/steps', '/steps/calls', '/events', '/definition'];
  const answers = await Promise.all(ways.map((way) => stage.ask('GET', `/workflows/${id}${way}`)));
  const shown = answers.map(({ text }) => text).join('\n');
  expect(shown).toContain('***');
  const { out } = await stage.kill('SIGTERM');
  for (const hidden of [...tokens, clientSecret, password]) {
    for (const form of [hidden, encodeURIComponent(hidden), Buffer.from(hidden).toString('base64')]) {
      expect(shown).not.toContain(form);
      expect(out).not.toContain(form);
    }
  }
  // Another process has never seen the tokens, and could not mask what was kept of them.
  await stage.start();
  const later = await Promise.all(ways.map((way) => stage.ask('GET', `/workflows/${id}${way}`)));
  for (const token of tokens) expect(later.map(({ text }) => text).join('\n')).not.toContain(token);
});

it('keeps a call back while the token server fails, and retries it', async () => {
  const saga = stage.saga('waiting');
  downstream.script('/flaky', { status: 503 }, { cut: true }, { body: { access_token: tokens[0] } });
  const retrying = { failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 1 } };
  const document = await stage.finish(saga.graph([saga.task('a', retrying, { auth: oauth('/flaky') })]));
  expect(document.status).toBe('SUCCEEDED');
  expect(downstream.calls('/flaky')).toHaveLength(3);
  expect(downstream.calls('/waiting/a')).toHaveLength(1);
});

it('does not follow a token server that redirects', async () => {
  const saga = stage.saga('redirected');
  downstream.script('/moved', { status: 307, headers: { location: `${downstream.url}/token` } });
  const before = downstream.calls('/token').length;
  const document = await stage.finish(saga.graph([saga.task('a', {}, { auth: oauth('/moved') })]));
  expect(document.status).toBe('FAILED');
  expect(downstream.calls('/token')).toHaveLength(before);
  expect(downstream.calls('/redirected/a')).toEqual([]);
});

it.each([
  ['a bound secret in a template', 'ELSEWHERE', { body: '{{secrets.ELSEWHERE}}' }],
  ['a bound secret in auth', 'ELSEWHERE', { auth: { type: 'bearer', secret: 'ELSEWHERE' } }],
  ['a secret of another port', 'PORT', { auth: { type: 'bearer', secret: 'PORT' } }],
  ['a missing secret', 'MISSING', { auth: { type: 'bearer', secret: 'MISSING' } }],
])('sends nothing and tries nothing again: %s', async (_what, name, request) => {
  const saga = stage.saga('bound');
  const retrying = { failureHandling: { type: 'retry', maxAttempts: 5, delayMillis: 1 } };
  const document = await stage.finish(saga.graph([saga.task('a', retrying, request)]));
  expect(document).toMatchObject({ status: 'FAILED' });
  expect(document.failureDescription).toContain(`The secret ${name} `);
  expect(downstream.calls('/bound/a')).toEqual([]);
  expect((await stage.calls(document.id)).map(({ outcome }) => outcome)).toEqual(['unsent']);
});

it('holds client secrets to the host of the token URL', async () => {
  const other = new ScriptedDownstream();
  await other.open();
  try {
    const tokenUrl = other.url.replace('127.0.0.1', 'localhost');
    const auth = { ...oauth('/token'), tokenUrl };
    const saga = stage.saga('client');
    const document = await stage.finish(saga.graph([saga.task('a', {}, { auth })]));
    expect(document.failureDescription).toContain('The secret CLIENT_SECRET may not go to localhost');
    expect(other.received).toEqual([]);
  } finally {
    await other.close();
  }
});
