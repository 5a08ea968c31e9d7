import { expect, it } from 'vitest';
import { dataHostLabel, hostLabel, hostOf } from './host-label.ts';

it.each([
  ['http://Api.example:8080/a?b#c', 'api.example:8080'],
  ['https://api.example', 'api.example'],
  ['https://api.example?a=http://b/', 'api.example'],
  ['https://[::1]:8080#a', '[::1]:8080'],
  ['https://me:pass@api.example/', 'api.example'],
  ['https://me:p@ss@api.example:1/x@y', 'api.example:1'],
  ['https://me:pass@api.example\\\\@other', 'api.example'],
])('the host of %s is %s', (url, host) => {
  expect(hostOf(url)).toBe(host);
});

it('hosts that come from data share one name, which no host can have', () => {
  expect(hostLabel('https://api.example/a', false)).toBe('api.example');
  expect(hostLabel('https://customer-4711.example/a', true)).toBe(dataHostLabel);
  expect(URL.parse(`http://${dataHostLabel}:80/`)?.hostname).not.toBe('data');
});
