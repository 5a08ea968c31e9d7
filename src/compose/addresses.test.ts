import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { localUrl, reachableUrl } from './addresses.ts';

it.each([
  ['127.0.0.1', false, 'http://127.0.0.1:80', 'http://127.0.0.1:80'],
  ['::1', true, 'https://[::1]:80', 'https://[::1]:80'],
  ['0.0.0.0', false, 'http://localhost:80', `http://${hostname()}:80`],
  ['::', false, 'http://localhost:80', `http://${hostname()}:80`],
  ['saga.example.com', true, 'https://saga.example.com:80', 'https://saga.example.com:80'],
])('a server on %s has these URLs', (host, isTls, local, reachable) => {
  expect(localUrl({ host, port: 80, isTls })).toBe(local);
  expect(reachableUrl({ host, port: 80, isTls })).toBe(reachable);
});
