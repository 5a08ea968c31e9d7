/** Whatever a document holds that masking looks for, and however much of it: the server goes on answering, and shows no secret. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Downstream, type Received, startDownstream } from '../e2e/trama-process.ts';
import { Arena } from './arena.ts';

const secrets = Array.from({ length: 300 }, (_, i) => `Secret-${String(i * 7919)}-value/${String(i)}`);
/** What a runner who has a token endpoint of his own may make of a token. */
const tokens = ['!'.repeat(250), '!'.repeat(16_000), 'a'.repeat(16_000)].map((most) => `tok1${most}x`);

let arena: Arena;
let downstream: Downstream;
let answer = (_request: Received): string => '{}';

beforeAll(async () => {
  downstream = await startDownstream((request, response) => {
    response.end(answer(request));
  });
  arena = new Arena({
    ...Object.fromEntries(secrets.map((secret, i) => [`TRAMA_SECRET_S${String(i)}`, secret])),
    TRAMA_SECRET_CLIENT: 'client-of-mine',
  });
  await arena.open();
});
afterAll(async () => {
  await arena.close();
  await downstream.close();
});

interface Sent {
  readonly body?: unknown;
  readonly auth?: object;
}

async function run({ body, auth }: Sent, payload: unknown): Promise<{ readonly id: string; readonly status: string }> {
  const up = { url: `${downstream.url}/do`, verb: 'POST', body: body ?? '', ...(auth !== undefined && { auth }) };
  const definition = {
    name: 'hostile',
    version: '1',
    steps: [{ name: 'a', up }],
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 0 },
  };
  const started = await arena.send('POST', '/workflows/run?waitMillis=30000', { definition, payload });
  return started.body as { id: string; status: string };
}

const alike = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`trc1.x${String(i)}`, i]));

it.each([1000, 5000, 20_000])(
  'survives %d keys that mask alike, in a payload, an answer and a request',
  async (count) => {
    await arena.survives(async () => {
      answer = () => JSON.stringify(alike(count));
      const { id, status } = await run({ body: '{{payload}}' }, alike(count));
      expect(status).toBe('SUCCEEDED');
      const found = await arena.send('GET', `/workflows/${id}`);
      const { payload } = found.body as { payload: Record<string, number> };
      expect(Object.keys(payload)).toHaveLength(count);
      expect(payload[`***#${String(count)}`]).toBe(count - 1);
      for (const path of ['steps', 'steps/calls'])
        expect((await arena.send('GET', `/workflows/${id}/${path}`)).status).toBe(200);
    });
  },
);

it('survives them in a definition', async () => {
  await arena.survives(async () => {
    answer = () => '{}';
    const { id } = await run({ body: alike(10_000) }, {});
    const found = await arena.send('GET', `/workflows/${id}/definition`);
    expect(found.status).toBe(200);
    expect(JSON.stringify(found.body)).not.toContain('trc1.');
  });
});

it('shows no secret of many in large answers, in no longer time than few', async () => {
  await arena.survives(async () => {
    const echo = secrets.join('; ');
    answer = () => JSON.stringify({ echo, text: 'what most texts hold: 1234567890. '.repeat(25_000) });
    const { id } = await run({ body: '{{payload}}' }, { text: echo });
    for (const path of ['', '/steps', '/steps/calls']) {
      const shown = JSON.stringify((await arena.send('GET', `/workflows/${id}${path}`)).body);
      expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
    }
  });
});

it.each(tokens)('survives an access token that was made for masking, and answers full of it', async (token) => {
  const auth = {
    type: 'oauth2ClientCredentials',
    tokenUrl: `${downstream.url}/token?${String(token.length)}`,
    clientIdSecret: 'CLIENT',
    clientSecretSecret: 'CLIENT',
  };
  const part = token.slice(2, 500);
  await arena.survives(async () => {
    answer = ({ path }) =>
      path.startsWith('/token')
        ? JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: 0 })
        : JSON.stringify({ token, text: part.repeat(900_000 / part.length) });
    const { id, status } = await run({ auth }, {});
    expect(status).toBe('SUCCEEDED');
    for (const path of ['', '/steps', '/steps/calls']) {
      const found = await arena.send('GET', `/workflows/${id}${path}`);
      expect(found.status).toBe(200);
      expect(JSON.stringify(found.body)).not.toContain(token);
    }
  });
});
