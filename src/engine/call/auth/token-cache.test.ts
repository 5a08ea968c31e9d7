import { describe, expect, it } from 'vitest';
import { type Reply, ScriptedHttp } from '../../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../../core/value/json.ts';
import type { OutboundRequest } from '../../../ports/http-caller.ts';
import { VirtualClock } from '../../../../simulator/virtual-clock.ts';
import { AuthorizedCall, type AuthorizedEnding } from './authorized-call.ts';
import { type AccessToken, TokenCache, type TokenGrant, type TokenResult, type TokenWaiter } from './token-cache.ts';

const clock = new VirtualClock();

function grantOf(key: string): TokenGrant {
  return { key, host: 'login', url: `http://login/${key}`, authorization: 'Basic x', body: 'grant_type=x' };
}

/** One that may make its call whenever it is asked. */
function waiter(done: (result: TokenResult) => void, mayLeave = (): boolean => true): TokenWaiter {
  return { done, mayLeave, withheld: () => expect.unreachable() };
}

/** A cache whose endpoint answers every path with `token-<path>-<nth>`, or as told. */
function cacheWith(more: JsonObject = {}, reply?: (path: string) => Reply) {
  const http = new ScriptedHttp(clock);
  http.reply = (path, _request, nth) =>
    reply?.(path) ?? { body: { access_token: `token-${path}-${String(nth)}`, ...more } };
  const concealed: string[] = [];
  const conceal = (value: string) => {
    concealed.push(value);
    return (text: string): string => text.replaceAll(value, '***');
  };
  const tokens = new TokenCache({ http, clock, conceal, fetchTimeoutMillis: 5000 });
  const get = async (key: string, refused?: AccessToken): Promise<TokenResult> => {
    let result: TokenResult | undefined;
    tokens.get(
      grantOf(key),
      refused,
      waiter((given) => (result = given)),
    );
    await clock.runUntilIdle(10, () => result !== undefined);
    if (result === undefined) throw new Error('No answer came.');
    return result;
  };
  const token = async (key: string, refused?: AccessToken): Promise<AccessToken> => {
    const result = await get(key, refused);
    if (result.kind !== 'token') throw new Error(result.message);
    return result.token;
  };
  return { http, tokens, concealed, get, token };
}

describe('the token cache', () => {
  it('holds 64 tokens; the one used longest ago goes', async () => {
    const { http, token } = cacheWith();
    for (let i = 0; i < 64; i++) await token(`t${String(i)}`);
    await token('t0');
    await token('t64');
    expect(http.calls).toHaveLength(65);
    await token('t0');
    expect(http.calls).toHaveLength(65);
    await token('t1');
    expect(http.calls).toHaveLength(66);
  });

  it('gives a newer token to a caller that comes late with a refused one, without a fetch', async () => {
    const { http, token } = cacheWith();
    const first = await token('t');
    const second = await token('t', first);
    expect([first.value, second.value]).toEqual(['token-t-1', 'token-t-2']);
    expect(await token('t', first)).toBe(second);
    expect(http.calls).toHaveLength(2);
  });

  it('fetches once for all whose token was refused at the same time', async () => {
    const { http, tokens, token } = cacheWith();
    const first = await token('t');
    const given: TokenResult[] = [];
    for (let i = 0; i < 5; i++)
      tokens.get(
        grantOf('t'),
        first,
        waiter((result) => given.push(result)),
      );
    const forget = tokens.get(
      grantOf('t'),
      first,
      waiter(() => expect.unreachable()),
    );
    forget();
    await clock.runUntilIdle(10, () => given.length === 5);
    expect(new Set(given).size).toBe(1);
    expect(http.calls).toHaveLength(2);
  });

  it.each([
    [100, 90_000],
    ['100', 90_000],
    [3600, 3_570_000],
    [undefined, 270_000],
    ['soon', 270_000],
    [0, 0],
    [-5, 0],
    [1e12, 86_370_000],
  ])('keeps one that lives %j s for %d ms', async (lifetime, millis) => {
    const { http, token } = cacheWith(lifetime === undefined ? {} : { expires_in: lifetime });
    const begun = clock.monotonic();
    await token('t');
    if (millis > 0) {
      await clock.advance(begun + millis - 1 - clock.monotonic());
      await token('t');
      expect(http.calls).toHaveLength(1);
      await clock.advance(1);
    }
    await token('t');
    expect(http.calls).toHaveLength(2);
  });

  it('conceals a token before anybody has it, and keeps no failure', async () => {
    let good = false;
    const { concealed, get, token } = cacheWith({}, () =>
      good ? { body: { access_token: 'good' } } : { status: 500 },
    );
    expect(await get('t')).toEqual({
      kind: 'failed',
      refused: false,
      message: 'The token endpoint login answered 500.',
    });
    good = true;
    const { mask } = await token('t');
    expect(concealed).toEqual(['good']);
    expect(mask('a good one')).toBe('a *** one');
  });

  it('fetches only while a call that waits for the token may leave', async () => {
    const { http, tokens } = cacheWith();
    http.connectMillis = 100;
    const withheld: string[] = [];
    const given: TokenResult[] = [];
    const call = (name: string, mayLeave: boolean): TokenWaiter => ({
      done: (result) => given.push(result),
      mayLeave: () => mayLeave,
      withheld: () => withheld.push(name),
    });
    tokens.get(grantOf('a'), undefined, call('lapsed', false));
    await clock.advance(200);
    expect([withheld, given, http.calls.length]).toEqual([['lapsed'], [], 0]);
    http.connectMillis = 100;
    tokens.get(grantOf('a'), undefined, call('lapsed', false));
    tokens.get(grantOf('a'), undefined, call('held', true));
    await clock.advance(200);
    expect([withheld, given.length, http.calls.length]).toEqual([['lapsed'], 2, 1]);
  });
});

describe('an authorized call', () => {
  const request: OutboundRequest = {
    url: 'http://mock/a',
    verb: 'POST',
    headers: {},
    timeoutMillis: 1000,
    authorityFromData: false,
  };
  const lastWord = { mayLeave: () => true, withheld: () => undefined };

  it('that is aborted before its token came is unsent, and is told so later, once', async () => {
    const { http, tokens } = cacheWith({}, () => 'hold');
    const endings: AuthorizedEnding[] = [];
    const call = new AuthorizedCall(
      { http, clock, tokens },
      request,
      grantOf('t'),
      (end) => endings.push(end),
      lastWord,
    );
    call.abort();
    call.abort();
    expect(endings).toEqual([]);
    await clock.advance(1);
    http.calls[0]!.answer({ body: { access_token: 'late' } });
    await clock.advance(2000);
    expect(endings).toMatchObject([{ isOfDownstream: false, answer: { error: 'aborted', sent: false } }]);
    expect(http.paths()).toEqual(['t']);
  });

  it('that is aborted under way ends as the request does', async () => {
    const { http, tokens, token } = cacheWith({}, (path) =>
      path === 'a' ? 'hold' : { body: { access_token: 'good' } },
    );
    await token('t');
    const endings: AuthorizedEnding[] = [];
    const call = new AuthorizedCall(
      { http, clock, tokens },
      request,
      grantOf('t'),
      (end) => endings.push(end),
      lastWord,
    );
    expect(http.calls[1]!.request.headers).toEqual({ authorization: 'Bearer good' });
    call.abort();
    await clock.advance(1);
    expect(endings).toMatchObject([{ isOfDownstream: true, answer: { error: 'aborted', sent: true } }]);
  });

  it('that waits for its second token keeps the 401, whatever happens then', async () => {
    let fetched = 0;
    const { http, tokens } = cacheWith({}, (path) => {
      if (path === 'a') return { status: 401 };
      return fetched++ === 0 ? { body: { access_token: 'good' } } : 'hold';
    });
    const endings: AuthorizedEnding[] = [];
    void new AuthorizedCall({ http, clock, tokens }, request, grantOf('t'), (end) => endings.push(end), lastWord);
    await clock.advance(900);
    expect(endings).toEqual([]);
    await clock.advance(200);
    expect(endings).toMatchObject([{ isOfDownstream: true, answer: { kind: 'response', status: 401 } }]);
    expect(http.paths()).toEqual(['t', 'a', 't']);
  });
});
