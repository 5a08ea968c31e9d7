import { describe, expect, it } from 'vitest';
import { targetOf } from './options.ts';

describe('options of the Postgres store', () => {
  it('reads a URL with several hosts', () => {
    const url = 'postgres://u%40x:p%3A%2F%40@h1:5433,[::1]:5434,h3/d%20b?target_session_attrs=read-write&x=1';
    expect(targetOf({ url })).toEqual({
      hosts: [
        { host: 'h1', port: 5433 },
        { host: '::1', port: 5434 },
        { host: 'h3', port: 5432 },
      ],
      user: 'u@x',
      password: 'p:/@',
      database: 'd b',
      tls: false,
      mustWrite: true,
    });
  });

  it('takes what the URL leaves out from the other options', () => {
    expect(targetOf({ url: 'postgresql://h', user: 'u', password: 'p', database: 'd', port: 6000 })).toEqual({
      hosts: [{ host: 'h', port: 6000 }],
      user: 'u',
      password: 'p',
      database: 'd',
      tls: false,
      mustWrite: false,
    });
    expect(targetOf({ host: 'a,b:1', user: 'me' })).toMatchObject({
      hosts: [
        { host: 'a', port: 5432 },
        { host: 'b', port: 1 },
      ],
      database: 'me',
      password: undefined,
      mustWrite: true,
    });
  });

  it.each([
    ['any', false],
    ['read-write', true],
    ['primary', true],
  ])('keeps to target_session_attrs=%s', (attributes, mustWrite) => {
    expect(targetOf({ url: `postgres://h1,h2/d?target_session_attrs=${attributes}` }).mustWrite).toBe(mustWrite);
  });

  it.each([
    ['', false],
    ['?sslmode=prefer', false],
    ['?sslmode=require', { rejectUnauthorized: false }],
    ['?sslmode=verify-full', {}],
  ])('takes TLS from the URL (%s)', (query, tls) => {
    expect(targetOf({ url: `postgres://h/d${query}` }).tls).toEqual(tls);
    expect(targetOf({ url: `postgres://h/d${query}`, ssl: true }).tls).toEqual({});
    expect(targetOf({ url: `postgres://h/d${query}`, ssl: false }).tls).toBe(false);
    expect(targetOf({ url: `postgres://h/d${query}`, ssl: { ca: 'PEM' } }).tls).toEqual({ ca: 'PEM' });
  });

  it.each([
    ['mysql://h/d', 'must be postgres://'],
    ['postgres://u:secret@/d', 'must be postgres://'],
    ['postgres://u:secret@h:99999/d', 'host of Postgres must be'],
    ['postgres://u:secret@h,,k/d', 'host of Postgres must be'],
    ['postgres://u:secret/more@h/d', 'percent-encoded'],
    ['postgres://u:secret', 'host of Postgres must be'],
    ['postgres://u:123/secret@h/d', 'percent-encoded'],
    ['postgres://u:secret%zz@h/d', 'malformed percent-encoding'],
    ['postgres://u:secret@h/d?target_session_attrs=read-only', 'is of no use here'],
  ])('refuses %s without showing the password', (url, sentence) => {
    const read = (): unknown => targetOf({ url });
    expect(read).toThrow(sentence);
    expect(read).not.toThrow('secret');
  });
});
