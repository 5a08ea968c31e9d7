import { expect, it } from 'vitest';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { MemoryLedger } from './memory-ledger.ts';

const clock = new VirtualClock();

it('says when there is room again, and only then', () => {
  let freed = 0;
  const ledger = new MemoryLedger(clock, 100, () => freed++);
  ledger.add(60);
  ledger.add(-10);
  expect([ledger.isFull, freed]).toEqual([false, 0]);
  ledger.add(50);
  expect([ledger.isFull, ledger.bytes, freed]).toEqual([true, 100, 0]);
  ledger.add(-1);
  expect([ledger.isFull, freed]).toEqual([false, 1]);
});

it('admits what waits in the order in which it came, and what is large once half is free', async () => {
  const ledger = new MemoryLedger(clock, 100, () => undefined);
  const admitted: string[] = [];
  const ask = (name: string, bytes: number): void =>
    void Promise.resolve(ledger.reserve(bytes)).then((is) => admitted.push(`${name} ${String(is)}`));
  ledger.add(90);
  ask('large', 1_000);
  ask('small', 5);
  await clock.advance(1);
  expect([admitted, ledger.isFull]).toEqual([[], true]);
  ledger.add(-40);
  await clock.advance(1);
  expect(admitted).toEqual(['large true']);
  ledger.add(-1_000);
  await clock.advance(1);
  expect(admitted).toEqual(['large true', 'small true']);
});

it('gives up what waits for too long', async () => {
  let freed = 0;
  const ledger = new MemoryLedger(clock, 100, () => freed++);
  ledger.add(60);
  const waiting = ledger.reserve(60);
  expect(ledger.isFull).toBe(true);
  await clock.advance(10_000);
  expect(await waiting).toBe(false);
  expect([ledger.isFull, ledger.bytes, freed]).toEqual([false, 60, 1]);
});
