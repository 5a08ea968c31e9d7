import { describe, expect, it } from 'vitest';
import { hasDotSegment, shownTemplate, splitUrl, staticUrlErrors } from './url.ts';

describe('splitUrl', () => {
  it.each([
    ['http://h', 'http', 'h', '', ''],
    ['HTTPS://H:8080/a/b?c=/../d#/../e', 'https', 'H:8080', '/a/b', '?c=/../d'],
    ['http://h?x', 'http', 'h', '', '?x'],
    ['http://h#x', 'http', 'h', '', ''],
    ['http://[::1]:80/', 'http', '[::1]:80', '/', ''],
    ['http://10.0.0.1:/x', 'http', '10.0.0.1:', '/x', ''],
    ['http://h/a.b/..c/d../...', 'http', 'h', '/a.b/..c/d../...', ''],
    ['http://h/a@b:c', 'http', 'h', '/a@b:c', ''],
  ])('takes %s apart', (url, scheme, authority, path, query) => {
    expect(splitUrl(url)).toEqual({ scheme, authority, path, query });
  });

  it.each([
    ['', 'begin with'],
    ['h/x', 'begin with'],
    ['//h/x', 'begin with'],
    ['ftp://h/', 'begin with'],
    ['javascript://h/', 'begin with'],
    ['http:/h', 'begin with'],
    ['xhttp://h', 'begin with'],
    ['http://', 'no host'],
    ['http:///x', 'no host'],
    ['http://:80/', 'no host'],
    ['http://u@h/', 'user information'],
    ['http://u:p@h/', 'user information'],
    ['http://a\\@h/', 'user information'],
    ['http://a\\b/', 'no host has'],
    ['http://a%2fb/', 'no host has'],
    ['http://a:b/', 'no host has'],
    ['http://h:99999/', 'port'],
    ['http://[::1/', 'IPv6'],
    ['http://[x]/', 'IPv6'],
    ['http://h/a b', 'blank'],
    ['http://h/a\nb', 'blank'],
    ['http://h/a\tb', 'blank'],
    ['http://h/\0', 'blank'],
    ['http://h/a\\..\\b', 'backslash'],
    ['http://h/..', 'dot segment'],
    ['http://h/a/../b', 'dot segment'],
    ['http://h/./b', 'dot segment'],
    ['http://h/a/%2e%2E/b', 'dot segment'],
    ['http://h/a/.%2e', 'dot segment'],
    ['http://h/%2E/?q', 'dot segment'],
  ])('refuses %j', (url, why) => {
    const parts = splitUrl(url);
    expect('error' in parts ? parts.error : '').toContain(why);
  });

  it('agrees with the URL Standard on host and path of what it accepts', () => {
    for (const url of [
      'http://h/a/b?c#d',
      'https://h:8443/%2e%2ex/a..b',
      'http://[::1]:8080/x/',
      'http://h/...',
      'http://h/%20',
    ]) {
      const parts = splitUrl(url);
      const standard = new URL(url);
      expect(parts).toMatchObject({ authority: standard.host, path: standard.pathname, query: standard.search });
    }
  });

  it('sees dots only where they make up a segment', () => {
    expect(['/a/..', '/%2e', '/..', '/a/.%2E/'].every(hasDotSegment)).toBe(true);
    expect(['', '/', '/...', '/a..', '/%2e%2e%2e', '/%252e'].some(hasDotSegment)).toBe(false);
  });
});

describe('shownTemplate', () => {
  it.each([
    ['http://h/a', 'http://h/a'],
    ['{{vars.BASE}}/a/{{payload.id}}?k={{payload.k}}#x', '{{vars.BASE}}/a/{{payload.id}}'],
    ['http://h{{#payload.a}}/a{{/payload.a}}#f?x', 'http://h{{#payload.a}}/a{{/payload.a}}'],
    ['http://h/{{{payload.a}}}/b', 'http://h/{{{payload.a}}}/b'],
    ['http://u:p@h/{{payload.a}}', 'http://h/{{payload.a}}'],
    ['http://h/{{! why? }}a', 'http://h/{{! why? }}a'],
    ['http://h/{{', 'http://h/{{'],
    ['', ''],
  ])('of %s is %s', (source, shown) => {
    expect(shownTemplate(source)).toBe(shown);
  });

  it('takes time by the length of the template', () => {
    const begun = performance.now();
    for (const part of ['{', '{{', '{{a', '}', '{{}}']) shownTemplate(part.repeat(200_000));
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});

describe('staticUrlErrors', () => {
  it.each([
    'http://h/x',
    '{{vars.BASE}}',
    '{{vars.BASE}}/orders/{{payload.id}}?a=../b',
    'http{{vars.S}}://h/',
    'https://{{vars.HOST}}:{{vars.PORT}}/x',
    'https://h/a{{payload.x}}../b',
    'https://h/{{payload.x}}/b',
    '{{#vars.A}}http://a{{/vars.A}}{{^vars.A}}http://b{{/vars.A}}/x',
  ])('has nothing against %s', (source) => {
    expect(staticUrlErrors(source)).toEqual([]);
  });

  it.each([
    ['h/x', 'begin with'],
    ['/x/{{payload.id}}', 'begin with'],
    ['localhost:80/{{payload.id}}', 'begin with'],
    ['ftp://{{payload.id}}', 'begin with'],
    ['example{{payload.id}}', 'begin with'],
    ['http://u@h/', 'user information'],
    ['http://{{vars.U}}@h/', 'user information'],
    ['http:///{{payload.x}}', 'no host'],
    ['http://h/a b', 'blank'],
    ['http://h/{{payload.x}}/a b', 'blank'],
    ['http://h/{{payload.x}}\\a', 'backslash'],
    ['http://h/a/../b', 'dot segment'],
    ['http://h/{{payload.x}}/../b', 'dot segment'],
    ['{{vars.BASE}}/a/%2e%2e/{{payload.x}}', 'dot segment'],
  ])('refuses %s', (source, why) => {
    const errors = staticUrlErrors(source);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(why);
  });
});
