import { beforeEach, describe, expect, it } from 'vitest';
import { idOf, stateOf } from '../../test/contract/fixtures/executions.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { BlockedCalls } from './blocked-calls.ts';
import type { CallVerdict } from '../links/http-link.ts';
import { HostWatch } from './host-watch.ts';

const host = 'downstream.test';
const definition = {
  name: 'random',
  version: '1',
  entrypoint: 't1',
  tasks: new Map([
    [
      't1',
      {
        id: 't1',
        host,
        mutating: true,
        async: false,
        hasCompensation: false,
        compensateWhen: 'unknown' as const,
        hasRoute: false,
      },
    ],
  ]),
  starts: new Map<string, never>(),
  bodies: new Set<string>(),
  firsts: new Set<string>(),
  before: new Map(),
};
const patience = 6_000;
/** Interval of the simulator's looks. */
const lookMillis = 250;

let clock: VirtualClock;
let watch: HostWatch;
let blocked: BlockedCalls;
/** Since when the call waits, according to its row: another time after each try. */
let blockedUntil: number;
let broken: string[];

beforeEach(() => {
  clock = new VirtualClock();
  broken = [];
  watch = new HostWatch(
    clock,
    { places: 1, failureThreshold: 1, openMillis: 200, hosts: 1, holds: 0, hostOutages: 0 },
    (rule) => broken.push(rule),
  );
  blocked = new BlockedCalls();
  turnAway();
});

/** Tries the call, which is blocked. */
function turnAway(): void {
  blockedUntil = clock.now() + 500;
}

function overdue(): boolean {
  const task = { visit: 1, startOrd: 1, startedAt: 0, attemptAt: 0, attempt: 0, retries: 0, waits: 0, operation: 1 };
  const since = blockedUntil - 500;
  const isBlocked = { ...task, blocked: { since, cause: 'slots' as const, detail: 'waits for a free place' } };
  const stage = { kind: 'backoff' as const, since, until: blockedUntil, task: isBlocked };
  const state = stateOf({ tokens: [{ id: 1, scope: '', nodeId: 't1', stage }] });
  const now = { wall: clock.now(), monotonic: clock.monotonic() };
  return (
    blocked.overdue([{ id: idOf(1), definition, state }], { holds: () => false }, [watch], now, patience).length > 0
  );
}

/** Lets time pass as the simulator does; answers whether the call was found overdue at any look. */
async function isBlamedWithin(millis: number): Promise<boolean> {
  let isBlamed = false;
  for (let passed = 0; passed < millis; passed += lookMillis) {
    await clock.advance(lookMillis);
    if (overdue()) isBlamed = true;
  }
  return isBlamed;
}

/** Another execution's call takes the only place for 10 ms, between two looks; `meanwhile` happens during it. */
async function otherCalls(verdict: CallVerdict, meanwhile: () => void = () => undefined): Promise<void> {
  const departure = { host, path: '/', key: 'k', compensates: undefined, callback: undefined };
  const other = { ...departure, executionId: idOf(2), nodeId: 't1', attempt: 1 };
  await clock.advance(5);
  watch.left(other);
  await clock.advance(5);
  meanwhile();
  await clock.advance(5);
  watch.ended(other, verdict);
  await clock.advance(lookMillis - 15);
}

describe('the rule about blocked calls', () => {
  it('blames a call that is free to go and is not tried', async () => {
    expect(await isBlamedWithin(patience)).toBe(false);
    expect(await isBlamedWithin(1_000)).toBe(true);
  });

  it('lets a call wait anew that was tried at a moment when the only place was taken', async () => {
    expect(await isBlamedWithin(5_000)).toBe(false);
    await otherCalls('answered', turnAway);
    expect(await isBlamedWithin(5_000)).toBe(false);
    await otherCalls('answered', turnAway);
    expect(await isBlamedWithin(5_000)).toBe(false);
    expect(await isBlamedWithin(1_500)).toBe(true);
  });

  it('lets a call wait anew that was tried while the circuit was open for a moment', async () => {
    expect(await isBlamedWithin(5_000)).toBe(false);
    await otherCalls('failed');
    turnAway();
    expect(await isBlamedWithin(5_000)).toBe(false);
    expect(await isBlamedWithin(1_500)).toBe(true);
  });

  it('keeps counting for a call that is not tried while others take the place again and again', async () => {
    expect(await isBlamedWithin(5_000)).toBe(false);
    for (let i = 0; i < 10; i++) await otherCalls('answered');
    expect(overdue()).toBe(true);
    expect(broken).toEqual([]);
  });

  it('counts on for a call that is turned away while nothing keeps it back', async () => {
    await otherCalls('answered');
    let isBlamed = false;
    for (let i = 0; i < 14; i++) {
      turnAway();
      if (await isBlamedWithin(500)) isBlamed = true;
    }
    expect(isBlamed).toBe(true);
  });
});
