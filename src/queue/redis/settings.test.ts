import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from './settings.ts';

describe('the URL of a Redis server', () => {
  it.each([
    ['redis://localhost', { address: { host: 'localhost', port: 6379 }, database: 0, isTls: false }],
    ['cache:7000', { address: { host: 'cache', port: 7000 }, database: 0, isTls: false }],
    ['redis://10.0.0.1:7000/3', { address: { host: '10.0.0.1', port: 7000 }, database: 3, isTls: false }],
    ['rediss://[::1]:7001/', { address: { host: '::1', port: 7001 }, database: 0, isTls: true }],
    [
      'redis://us%40er:p%2Fw@h',
      { address: { host: 'h', port: 6379 }, database: 0, isTls: false, username: 'us@er', password: 'p/w' },
    ],
    ['redis://:pw@h', { address: { host: 'h', port: 6379 }, database: 0, isTls: false, password: 'pw' }],
  ])('%s', (text, expected) => {
    expect(parseRedisUrl(text)).toEqual(expected);
  });

  it.each(['', 'redis://', 'http://:secret@host', 'redis://:secret@host/x', 'redis://:secret@host:port'])(
    'refuses %j and repeats no password',
    (text) => {
      expect(() => parseRedisUrl(text)).toThrow(RangeError);
      expect(() => parseRedisUrl(text)).not.toThrow(/secret/);
    },
  );

  it('names the parameter that it does not know', () => {
    expect(() => parseRedisUrl('redis://h/0?family=6')).toThrow('this one has family');
  });
});
