import { describe, expect, it } from 'vitest';
import { boolArray, int4Array, int8Array, textArray, uuidArray } from './binary-array.ts';

const header = (type: number, length: number): string =>
  [1, 1, type, length, 1].map((n) => n.toString(16).padStart(8, '0')).join('');

describe('binary arrays', () => {
  it('lays out texts with their length in bytes, and null as -1', () => {
    expect(textArray(['é', null, '']).toString('hex')).toBe(`${header(25, 3)}00000002c3a9ffffffff00000000`);
    expect(textArray([]).toString('hex')).toBe(header(25, 0));
  });

  it('lays out integers, also negative and large ones', () => {
    expect(int4Array([1, null, -2]).toString('hex')).toBe(`${header(23, 3)}0000000400000001ffffffff00000004fffffffe`);
    const values = [0, -1, 1_780_000_000_000, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    const buffer = int8Array([...values, null]);
    expect(values.map((_, i) => Number(buffer.readBigInt64BE(24 + i * 12)))).toEqual(values);
    expect(buffer.readInt32BE(20 + values.length * 12)).toBe(-1);
    expect(buffer).toHaveLength(20 + values.length * 12 + 4);
  });

  it('lays out booleans and ids', () => {
    expect(boolArray([true, false]).toString('hex')).toBe(`${header(16, 2)}00000001010000000100`);
    const id = '019e6f00-0000-7000-8000-0000000000ff';
    expect(uuidArray([id]).toString('hex')).toBe(`${header(2950, 1)}00000010${id.replaceAll('-', '')}`);
    expect(() => uuidArray(['019e6f00-0000-7000-8000-00000000000'])).toThrow(RangeError);
  });
});
