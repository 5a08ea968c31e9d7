import { expect, it } from 'vitest';
import { hostOf } from './secret-destination.ts';

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
