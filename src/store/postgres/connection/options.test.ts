import { describe, expect, it } from 'vitest';
import { targetOf } from './options.ts';

describe('options of the Postgres store', () => {
  it('reads a URL with several hosts', () => {
    const url = 'postgres://u%40x:p%3A%2F%40@h1:5433,[::1]:5434,h3/d%20b?target_session_attrs=read-write';
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
      channelBinding: 'disable',
      settings: {},
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
      channelBinding: 'disable',
      settings: {},
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
    ['?sslmode=disable', false],
    ['?ssl=false', false],
    ['?sslmode=allow', { rejectUnauthorized: false, isOptional: true }],
    ['?sslmode=prefer', { rejectUnauthorized: false, isOptional: true }],
    ['?sslmode=require', { rejectUnauthorized: false }],
    ['?sslmode=verify-ca', { checkName: false }],
    ['?sslmode=verify-full', {}],
    ['?ssl=true', {}],
  ])('takes TLS from the URL (%s)', (query, tls) => {
    expect(targetOf({ url: `postgres://h/d${query}` }).tls).toEqual(tls);
    expect(targetOf({ url: `postgres://h/d${query}`, ssl: true }).tls).toEqual({});
    expect(targetOf({ url: `postgres://h/d${query}`, ssl: false }).tls).toBe(false);
    expect(targetOf({ url: `postgres://h/d${query}`, ssl: { ca: 'PEM' } }).tls).toEqual({ ca: 'PEM' });
  });

  it.each<[string, object]>([
    ['postgres:///d?host=/run/postgresql', { hosts: [{ host: '/run/postgresql', port: 5432 }], database: 'd' }],
    ['postgres://u@/d?host=/run/pg&port=5433', { hosts: [{ host: '/run/pg', port: 5433 }], user: 'u' }],
    ['postgres://%2Frun%2Fpg:5434/d', { hosts: [{ host: '/run/pg', port: 5434 }] }],
    [
      'postgres://h/d?host=a,b',
      {
        hosts: [
          { host: 'a', port: 5432 },
          { host: 'b', port: 5432 },
        ],
        mustWrite: true,
      },
    ],
    ['postgres://h?user=u&password=p%26&dbname=d', { user: 'u', password: 'p&', database: 'd' }],
    ['postgres://h/d?application_name=orders', { applicationName: 'orders' }],
    ['postgres://h/d?connect_timeout=7', { connectTimeoutMillis: 7000 }],
    ['postgres://h/d?connect_timeout=1', { connectTimeoutMillis: 2000 }],
    ['postgres://h/d?channel_binding=require', { channelBinding: 'require' }],
    ['postgres://h/d?schema=My"Sagas', { settings: { search_path: '"My""Sagas"' } }],
    ['postgres://h/d?search_path=sagas,public', { settings: { search_path: 'sagas,public' } }],
    ['postgres://h/d?currentSchema=sagas', { settings: { search_path: 'sagas' } }],
    [
      'postgres://h/d?options=-c%20search_path%3Dmy%5C%20sagas%20--work-mem%3D8MB%20-cTimeZone%3DUTC',
      { settings: { search_path: 'my sagas', work_mem: '8MB', timezone: 'UTC' } },
    ],
    ['postgres://h/d?client_encoding=UTF8&gssencmode=disable', { settings: {} }],
  ])('does what %s says', (url, part) => {
    expect(targetOf({ url })).toMatchObject(part);
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
