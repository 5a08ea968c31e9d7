import { describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../../../ports/store.ts';
import { isCollision, isDataError, unavailable } from './errors.ts';

const serverError = (code: string): Error => Object.assign(new Error('it failed'), { code });

describe('errors of Postgres', () => {
  it.each([
    ['08006', 'unreachable'],
    ['57P01', 'unreachable'],
    ['57P03', 'unreachable'],
    ['57014', 'unreachable'],
    ['53300', 'unreachable'],
    ['53100', 'full'],
    ['25006', 'read_only'],
    ['28P01', 'unreachable'],
    ['3D000', 'unreachable'],
    ['42P01', 'unreachable'],
    ['42501', 'unreachable'],
    ['58030', 'unreachable'],
    ['XX000', 'unreachable'],
    ['55P03', 'unreachable'],
  ])('%s makes the store unavailable (%s)', (code, kind) => {
    expect(isDataError(serverError(code))).toBe(false);
    expect(unavailable(serverError(code))).toMatchObject({ name: 'StoreUnavailable', kind });
  });

  it.each(['22021', '22P02', '23505', '21000', '54000'])('%s is the fault of the values', (code) => {
    expect(isDataError(serverError(code))).toBe(true);
    expect(isCollision(serverError(code))).toBe(false);
  });

  it.each(['40P01', '40001', '55P03'])('%s may succeed when sent again', (code) => {
    expect(isCollision(serverError(code))).toBe(true);
  });

  it.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND'])('%s is no answer of the server', (code) => {
    expect(unavailable(serverError(code))).toMatchObject({ kind: 'unreachable' });
    expect(isDataError(serverError(code))).toBe(false);
  });

  it('says what happened to each of several addresses', () => {
    const both = new AggregateError([serverError('ECONNREFUSED'), new Error('other')], '');
    expect(unavailable(both)).toMatchObject({ message: 'Postgres cannot answer: it failed; other.' });
  });

  it('leaves errors of the program and its own alone', () => {
    const bug = new TypeError('undefined is not a function');
    expect(unavailable(bug)).toBe(bug);
    const known = new StoreUnavailable('full', 'The disk is full.');
    expect(unavailable(known)).toBe(known);
  });
});
