/** Sagas that take secrets everywhere a definition can, and end in every way. */
import { once, retries, SagaBuilder } from '../../e2e/stage/definitions.ts';
import type { Estate } from './estate.ts';

/** Where the secrets of a call stand: all of them in one request. */
const everywhere = {
  headers: { 'X-Key': '{{secrets.ENV_KEY}}', Cookie: 'sid={{payload.session}}', 'X-Session': '{{payload.session}}' },
  body: {
    key: '{{secrets.ENV_KEY}}',
    text: 'a {{secrets.FILE_KEY}} z',
    card: '{{payload.card}}',
    nested: [{ '{{a}}': 1 }],
  },
};

/** Ways in which a call may authenticate. */
export const auths = (estate: Estate): Readonly<Record<string, object>> => ({
  basic: { type: 'basic', usernameSecret: 'USER', passwordSecret: 'PASSWORD' },
  bearer: { type: 'bearer', secret: 'BEARER' },
  oauth: oauth(estate),
});

const oauth = ({ tokens }: Estate, path = 'token'): object => ({
  type: 'oauth2ClientCredentials',
  tokenUrl: `${tokens.url}/${path}`,
  clientIdSecret: 'CLIENT_ID',
  clientSecretSecret: 'CLIENT_SECRET',
  scope: 'pay',
});

/** The builder of a saga whose calls are echoed. */
export const echoing = ({ downstream }: Estate, name: string): SagaBuilder => new SagaBuilder(downstream.url, name);

/** A call with secrets in its URL, headers and body. */
export function loaded(saga: SagaBuilder, path: string, changes: object = {}): object {
  return saga.call(`${path}/{{secrets.ENV_KEY}}?q={{secrets.ENV_KEY}}`, { ...everywhere, ...changes });
}

/** One task for each way to authenticate, and one for each kind of body; then, where asked for, a refusal. */
export function longSaga(estate: Estate, name: string, end: 'good' | 'bad'): object {
  const saga = echoing(estate, name);
  const requests = {
    ...Object.fromEntries(Object.entries(auths(estate)).map(([id, auth]) => [id, loaded(saga, id, { auth })])),
    text: loaded(saga, 'text', { body: 'key is {{secrets.ENV_KEY}} {{{secrets.FILE_KEY}}}' }),
    form: loaded(saga, 'form', {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'a={{secrets.ENV_KEY}}&b={{secrets.FILE_KEY}}',
    }),
    xml: loaded(saga, 'xml', {
      headers: { 'Content-Type': 'application/xml', Authorization: 'Custom {{secrets.ENV_KEY}}' },
      body: '<a>{{secrets.ENV_KEY}}</a>',
    }),
    ...(end === 'bad' ? { last: loaded(saga, 'bad') } : {}),
  };
  return {
    name,
    version: '1',
    failureHandling: once,
    compensationHandling: once,
    steps: Object.entries(requests).map(([id, up]) => ({ name: id, up, down: loaded(saga, `undo-${id}`) })),
    onSuccessCallback: loaded(saga, 'done'),
    onFailureCallback: loaded(saga, 'failed', { body: '{{failure.reason}} {{secrets.ENV_KEY}}' }),
  };
}

/** Tasks that each fail in another way, each routed to the next. */
export function troubledSaga(estate: Estate, name: string, closedPort: number): object {
  const saga = echoing(estate, name);
  const key = '{{secrets.ENV_KEY}}';
  const requests: Readonly<Record<string, object>> = {
    slow: loaded(saga, 'slow', { timeoutMillis: 200 }),
    cut: loaded(saga, 'cut'),
    huge: loaded(saga, 'huge'),
    unread: loaded(saga, 'unread'),
    moved: loaded(saga, 'moved'),
    refused: { ...everywhere, url: `http://127.0.0.9/${key}`, verb: 'POST' },
    closed: { ...everywhere, url: `http://127.0.0.1:${String(closedPort)}/${key}?x=${key}`, verb: 'POST' },
    tls: { ...everywhere, url: `${estate.downstream.url.replace('http:', 'https:')}/${key}`, verb: 'POST' },
    user: { url: `http://{{{payload.login}}}/`, verb: 'POST' },
    wholeUrl: { url: '{{{payload.url}}}', verb: 'POST' },
    dots: loaded(saga, `${key}/{{payload.dots}}`),
    lines: loaded(saga, 'lines', { headers: { 'X-Key': '{{secrets.FILE_KEY}}' } }),
    missing: loaded(saga, 'missing', { body: `${key} {{secrets.NOT_THERE}}` }),
    bound: loaded(saga, 'bound', { body: '{{secrets.BOUND}}' }),
    noToken: loaded(saga, 'no-token', { auth: oauth(estate, 'none') }),
    unauthorized: loaded(saga, 'unauthorized', { auth: oauth(estate) }),
    colon: loaded(saga, 'colon', { auth: { type: 'bearer', secret: 'FILE_KEY' } }),
  };
  const ids = Object.keys(requests);
  const nodes = ids.map((id, i) =>
    saga.task(id, {
      action: { request: requests[id] },
      compensation: loaded(saga, `undo-${id}`),
      onFailure: ids[i + 1] ?? 'end',
      next: ids[i + 1] ?? 'end',
      failureHandling: retries(1),
    }),
  );
  return saga.graph([...nodes, { kind: 'fail', id: 'end', reason: 'card {{payload.card}}' }]);
}

/** Calls to hosts that hold a secret as the definition has it written, since no template may write one there. */
export function literalHostsSaga(estate: Estate, name: string, secret: string): object {
  const saga = echoing(estate, name);
  const key = '{{secrets.ENV_KEY}}';
  const to = (host: string): object => ({
    action: { request: { ...everywhere, url: `http://${secret}.${host}/${key}`, verb: 'POST' } },
    onFailure: 'nowhere',
  });
  return saga.graph([
    saga.task('refused', to('refused.example')),
    saga.task('nowhere', { ...to('invalid'), onFailure: 'end' }),
    { kind: 'fail', id: 'end', reason: 'card {{payload.card}}' },
  ]);
}

/** Waits for a callback; what comes then is judged by a condition that reads it, and told to the next call. */
export function waitingSaga(estate: Estate, name: string, timeoutMillis = 60_000): object {
  const saga = echoing(estate, name);
  const request = loaded(saga, 'ask', {
    auth: oauth(estate),
    body: { to: '{{runtime.callback.signedUrl}}', token: '{{runtime.callback.token}}', key: '{{secrets.ENV_KEY}}' },
  });
  const callback = { timeoutMillis, failureWhen: { '==': [{ var: 'callback.body.failed' }, true] } };
  return saga.graph([
    saga.asyncTask('ask', {
      next: 'tell',
      action: { mode: 'async', request, callback },
      compensation: loaded(saga, 'undo-ask'),
    }),
    saga.task('tell', {}, { body: 'they said {{nodes.ask.callback.body.echo}} {{nodes.ask.accepted.body}}' }),
  ]);
}

/** Ends CORRUPTED: what it did cannot be undone. */
export function corruptedSaga(estate: Estate, name: string): object {
  const saga = echoing(estate, name);
  return saga.graph([
    saga.task('first', {
      action: { request: loaded(saga, 'first') },
      compensation: loaded(saga, 'bad-undo'),
      next: 'last',
    }),
    saga.task('last', { action: { request: loaded(saga, 'bad') } }),
  ]);
}

/** Conditions and times made of what the payload holds, none of which are any. */
export function oddSaga(estate: Estate, name: string): object {
  const saga = echoing(estate, name);
  return saga.graph([
    {
      kind: 'switch',
      id: 'choose',
      cases: [{ when: { '>': [{ '+': [{ var: 'payload.card' }, 1] }, 1] }, target: 'nap' }],
      default: 'nap',
    },
    { kind: 'sleep', id: 'nap', until: '{{payload.card}}' },
  ]);
}

/** Nothing that it calls says anything back. */
export function quietSaga(estate: Estate): object {
  const saga = new SagaBuilder(estate.downstream.url, 'quiet');
  return {
    ...saga.linear([]),
    name: 'quiet',
    steps: Object.entries(auths(estate)).map(([id, auth]) => ({
      name: id,
      up: loaded(saga, id, { auth }),
      down: loaded(saga, `undo-${id}`),
    })),
  };
}
