import { describe, expect, it } from 'vitest';
import { hostileUrls } from '../../test/hostile-urls.ts';
import { Destinations } from './destination.ts';

/** What the parser of URLs says; undefined where it refuses. */
function byParser(text: string): readonly [string, string] | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username + url.password !== '') return undefined;
  return [url.origin, url.pathname + url.search];
}

function byDestinations(destinations: Destinations, url: string): readonly [string, string] | undefined {
  const destination = destinations.of(url);
  return typeof destination === 'string' ? undefined : [destination.origin.text, destination.path];
}

const beginnings = [
  'http://h',
  'HTTPS://H:443',
  'http://h:8080',
  'http://[::1]:1',
  'http:///h',
  'http://h\\x',
  'http://u:p@h',
];
const oddBeginnings = [
  'http://h?',
  'http://h#',
  'http://h?q',
  'http:/h',
  'http://1.2',
  'http://h\tx',
  'ftp://h',
  'http://h%41',
];
const paths = ['/', '/a', '/a/b.c?d=e&f=%20', '//x', '/a//b', '/a?b/c', '/a;b=1,2', '/a@b:c'];
const oddPaths = [
  '',
  '/.',
  '/a/../b',
  '/%2E%2e/b',
  '/a/.b',
  '/a#f',
  "/a?'",
  '/a b',
  '/ä',
  '/a\\b',
  '/a?/../b',
  '/a\nb',
  '/{a}',
  '/%2',
];

describe('the destination of a URL', () => {
  it('is what the parser of URLs says, whatever came before', () => {
    const destinations = new Destinations();
    for (const _round of ['first', 'remembered']) {
      for (const beginning of [...beginnings, ...oddBeginnings]) {
        for (const path of [...paths, ...oddPaths]) {
          const url = beginning + path;
          expect([url, byDestinations(destinations, url)]).toEqual([url, byParser(url)]);
        }
      }
      for (const { url } of hostileUrls) expect([url, byDestinations(destinations, url)]).toEqual([url, byParser(url)]);
    }
  });

  it('names the port, also where the URL does not', () => {
    const destinations = new Destinations();
    const portOf = (url: string): unknown => (destinations.of(url) as { origin: { port: number } }).origin.port;
    expect(['http://h/', 'https://h/', 'http://h:81/'].map(portOf)).toEqual([80, 443, 81]);
  });

  it('remembers a bounded number of origins', () => {
    const destinations = new Destinations();
    const first = destinations.of('http://h/a');
    expect(destinations.of('http://h/b')).toMatchObject({ path: '/b' });
    for (let i = 0; i < 1_000; i++) destinations.of(`http://h${String(i)}/a`);
    expect(destinations.of('http://h/a')).toEqual(first);
  });
});
