/** Signed URLs and the server's own address in a browser. */
import { beforeAll, describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

/** A run of a saga that waits for an answer, and its signed URL. */
async function waiting(name: string, callback: object): Promise<{ readonly id: string; readonly to: string }> {
  const saga = stage.saga(name);
  const id = await stage.run(saga.graph([{ ...saga.asyncTask('ask', {}, callback), id: 'ask <b>"me"</b>' }]));
  await stage.untilStatus(id, 'WAITING_CALLBACK');
  const { to } = await stage.callbackOf(`/${name}/ask`);
  return { id, to };
}

interface Shown {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Sent {
  readonly method: string;
  readonly body: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
}

async function open(url: string, init: Partial<Sent> = {}): Promise<Shown> {
  const answer = await fetch(url, { redirect: 'manual', ...init, headers: { ...browser, ...init.headers } });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

const unescape = (text: string): string =>
  text.replace(
    /&(amp|lt|gt|quot|#39);/g,
    (_entity, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name] ?? "'",
  );

/** What a browser does when the button is pressed. */
function press(url: string, page: Shown): Promise<Shown> {
  expect(page.text).toMatch(/<form method="post" enctype="application\/x-www-form-urlencoded">/);
  const fields = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  const body = new URLSearchParams(
    Object.fromEntries(fields.map(([, name = '', value = '']) => [unescape(name), unescape(value)])),
  );
  // Without a referrer, as the page asks for, the origin of a form is null.
  return open(url, { method: 'POST', body, headers: { origin: 'null' } });
}

describe('a signed URL that is opened in a browser', () => {
  let id: string;
  let to: string;
  beforeAll(async () => {
    ({ id, to } = await waiting('plain', {}));
  });

  it('says that it takes POST, and decides nothing', async () => {
    const page = await open(to);
    expect(page.status).toBe(405);
    expect(page.headers.get('allow')).toBe('POST');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.text).toContain('sends it with POST');
    expect(page.text).not.toContain('<form');
    expect(await stage.ask('GET', to)).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
    expect((await fetch(to, { method: 'HEAD' })).status).toBe(405);
    expect((await stage.show(id)).status).toBe('WAITING_CALLBACK');
  });

  it('says nothing of what there is without a good token', async () => {
    const forged = `${to.slice(0, -2)}${to.at(-2) === 'A' ? 'B' : 'A'}${to.slice(-1)}`;
    for (const [url, status] of [
      [forged, 401],
      [to.replace(id, '0190a5a0-0000-7000-8000-000000000000'), 401],
      [to.slice(0, to.lastIndexOf('/') + 1) + 'x', 400],
    ] as const) {
      const page = await open(url);
      expect(page.status).toBe(status);
      expect(page.text).toContain('This link is not valid');
      expect(page.text).not.toContain('trc1');
    }
  });
});

describe('a signed URL with confirmPage', () => {
  const decides = {
    confirmPage: true,
    failureWhen: { '==': [{ var: 'callback.body.answer' }, 'reject'] },
    successWhen: { '==': [{ var: 'callback.body.confirmed' }, true] },
  };

  it('lets a person approve by a link and a button', async () => {
    const { id, to } = await waiting('approve', decides);
    const page = await open(to);
    expect(page.status).toBe(200);
    expect(page.text).toContain('ask &lt;b&gt;&quot;me&quot;&lt;/b&gt;');
    expect(page.text).not.toMatch(/<b>|<script|trc1|https?:/);
    expect((await stage.show(id)).status).toBe('WAITING_CALLBACK');
    const thanks = await press(to, page);
    expect([thanks.status, thanks.text]).toEqual([202, expect.stringContaining('Thank you')]);
    await stage.untilEnd(id);
    expect(await stage.show(id)).toMatchObject({ status: 'SUCCEEDED', result: { confirmed: true } });
    // Pressed again, and opened again.
    expect((await press(to, page)).status).toBe(200);
    const later = await open(to);
    expect([later.status, later.text]).toEqual([410, expect.stringContaining('No answer is awaited any more')]);
  });

  it('carries the answer of the link, and holds the first one', async () => {
    const { id, to } = await waiting('reject', decides);
    const [yes, no] = [`${to}?answer=approve&utm_source=mail`, `${to}?answer=reject`];
    const pages = [await open(no), await open(yes)] as const;
    expect(pages[0].text).toContain('Your answer: reject');
    expect((await press(no, pages[0])).status).toBe(202);
    await stage.untilEnd(id);
    expect(await stage.show(id)).toMatchObject({ status: 'FAILED', reason: 'callback_failure' });
    const other = await press(yes, pages[1]);
    expect([other.status, other.text]).toEqual([409, expect.stringContaining('This was answered before')]);
  });

  it('shows an answer as text, and refuses what is none', async () => {
    const { to } = await waiting('odd', decides);
    const answer = `"><script>alert('x')</script>&`;
    const page = await open(`${to}?answer=${encodeURIComponent(answer)}`);
    expect(page.text).toContain('value="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"');
    expect(page.text).not.toContain('<script');
    for (const query of [`answer=${'x'.repeat(65)}`, 'answer=', 'answer=a&answer=b', 'answer=%00']) {
      expect((await open(`${to}?${query}`)).status).toBe(400);
    }
  });

  it('tells no other site its address, and runs nothing', async () => {
    const { to } = await waiting('quiet', decides);
    const { headers } = await open(to);
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
  });

  it('still takes the answer of a program', async () => {
    const { id, to } = await waiting('program', decides);
    // Some clients say that they take HTML, whatever they ask for.
    const broken = await stage.ask('POST', `${to}x`, '{}', browser);
    expect([broken.status, broken.headers.get('content-type')]).toEqual([400, 'application/json; charset=utf-8']);
    expect(await stage.ask('POST', to, '{"confirmed":true,"by":"Ada"}')).toMatchObject({ status: 202 });
    await stage.untilEnd(id);
    expect(await stage.show(id)).toMatchObject({ status: 'SUCCEEDED', result: { confirmed: true, by: 'Ada' } });
  });
});

describe('the address of the server', () => {
  it('says where everything is', async () => {
    const { status, body } = await stage.ask('GET', '/');
    expect([status, body]).toMatchObject([200, { name: 'Trama', api: '/workflows', openapi: '/openapi.json' }]);
    for (const url of [body.api, body.openapi, body.definitionSchema, body.health, body.readiness, body.metrics]) {
      expect(await stage.ask('GET', url)).toMatchObject({ status: 200 });
    }
    expect(body.documents).toContain('docs/');
    const page = await open(`${stage.url}/`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.text).toContain('<a href="/workflows">');
  });
});
