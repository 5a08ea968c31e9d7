import { describe, expect, it } from 'vitest';
import { SecretHosts } from './secret-hosts.ts';

const hosts = new SecretHosts({
  KEY: [
    'api.example',
    'LEDGER.example.:8443',
    '*.partner.example',
    '*.https.example:443',
    '[2001:db8::1]',
    '127.0.0.1:9000',
    'https://tls.example',
    'https://*.tls.example:8443',
  ],
  NOWHERE: [],
});

describe('a bound secret', () => {
  it.each([
    'https://api.example/v1',
    'http://api.example:8080/',
    'http://API.Example./',
    'http://ａｐｉ.example/',
    'https://ledger.example:8443/x',
    'https://a.partner.example/',
    'https://a.b.partner.example:1/',
    'https://a.https.example/',
    'http://[2001:DB8:0::1]/',
    'http://2130706433:9000/',
    'https://tls.example/',
    'https://tls.example:444/',
    'https://a.tls.example:8443/',
  ])('may go to %s', (url) => {
    expect(hosts.allows('KEY', url)).toBe(true);
  });

  it.each([
    'https://evil.example/',
    'https://api.example.evil.example/',
    'https://xapi.example/',
    'https://a.api.example/',
    'https://ledger.example/',
    'https://ledger.example:8444/',
    'https://partner.example/',
    'https://evilpartner.example/',
    'http://a.https.example/',
    'https://api.example@evil.example/',
    'https://evil.example/?api.example',
    'http://[2001:db8::2]/',
    'http://127.0.0.1/',
    'not a URL',
    '',
    'http://tls.example/',
    'http://tls.example:443/',
    'http://a.tls.example:8443/',
    'https://a.tls.example/',
  ])('may not go to %s', (url) => {
    expect(hosts.allows('KEY', url)).toBe(false);
  });

  it('may go to a host that comes from data where its list names the host', () => {
    expect(hosts.allows('KEY', 'https://api.example/', true)).toBe(true);
    expect(hosts.allows('KEY', 'https://evil.example/', true)).toBe(false);
  });

  it('may go nowhere when its list is empty', () => {
    expect(hosts.allows('NOWHERE', 'https://api.example/')).toBe(false);
  });
});

it('lets secrets go everywhere that are not bound, whatever their names', () => {
  expect(hosts.allows('OTHER', 'https://evil.example/')).toBe(true);
  expect(hosts.allows('toString', 'https://evil.example/')).toBe(true);
});

it('lets secrets that are not bound go to no host that comes from data', () => {
  expect(hosts.allows('OTHER', 'https://api.example/', true)).toBe(false);
  expect(hosts.allows('toString', 'https://api.example/', true)).toBe(false);
});

it.each([
  '',
  '*',
  '*.',
  '*.10.0.0.1',
  'a b',
  'http://a',
  'https://',
  'https://*',
  'ftp://a',
  'a/b',
  'u@a',
  'a:0',
  'a:65536',
  'a:b',
  '2001:db8::1',
  'a.*.b',
  '[::1',
  '.',
])('refuses %j as a place', (place) => {
  expect(() => new SecretHosts({ KEY: [place] })).toThrow(`secrets.hosts.KEY: ${JSON.stringify(place)} is no host.`);
});
