import { describe, expect, it } from 'vitest';
import type { Timer } from '../ports/clock.ts';
import type { LogFields, LongTurnKind } from '../ports/telemetry.ts';
import { LoopShare } from './loop-share.ts';
import { longTurnMillis } from './watchdog.ts';

interface Told {
  readonly kind: LongTurnKind;
  readonly millis: number;
  readonly fields: LogFields;
}

/** A clock whose timers fire when told to; timers set meanwhile fire the next time. */
class TurnClock {
  timers: (() => void)[] = [];
  passed = 0;

  monotonic(): number {
    return this.passed;
  }

  after(_millis: number, fire: () => void): Timer {
    this.timers.push(fire);
    return { cancel: () => undefined };
  }

  /** Runs the next turn of the event loop. */
  async turn(): Promise<void> {
    for (const fire of this.timers.splice(0)) fire();
    await Promise.resolve();
  }
}

function shareOf(): { share: LoopShare; clock: TurnClock; told: Told[] } {
  const clock = new TurnClock();
  const told: Told[] = [];
  const telemetry = {
    longTurn: (kind: LongTurnKind, millis: number, fields: LogFields): void => void told.push({ kind, millis, fields }),
  };
  return { share: new LoopShare({ clock, telemetry }, { maxTurnSteps: 100, maxTurnBytes: 1_000 }), clock, told };
}

const nothing = (): LogFields => ({});

describe('the share of a turn of the event loop', () => {
  it('is used up by steps, by bytes, or by both together, and is whole again in the next turn', async () => {
    const { share, clock } = shareOf();
    share.charge(99, 0);
    expect(share.isSpent).toBe(false);
    share.charge(1, 0);
    expect(share.isSpent).toBe(true);
    await clock.turn();
    expect(share.isSpent).toBe(false);
    share.charge(50, 500);
    expect(share.isSpent).toBe(true);
    await clock.turn();
    expect(share.isSpent).toBe(false);
  });

  it('sets no timer for what is small', async () => {
    const { share, clock } = shareOf();
    share.charge(1, 10);
    expect(clock.timers.length).toBe(0);
    share.charge(10, 0);
    expect(clock.timers.length).toBe(1);
    await clock.turn();
    expect(clock.timers.length).toBe(0);
  });

  it('is given out over turns, in order, however much waits', async () => {
    const { share, clock } = shareOf();
    const turns: number[][] = [[]];
    const done = Array.from({ length: 7 }, (_, i) =>
      share.run(
        () => {
          turns.at(-1)?.push(i);
          share.charge(60, 0);
          return i;
        },
        'apply',
        nothing,
      ),
    );
    while (turns.flat().length < 7) {
      turns.push([]);
      await clock.turn();
    }
    expect(await Promise.all(done.map((one) => Promise.resolve(one)))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(turns.flat()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(Math.max(...turns.map((turn) => turn.length))).toBe(2);
    await clock.turn();
    expect(clock.timers.length).toBe(0);
  });

  it('passes on what work throws, at once or later', async () => {
    const { share, clock } = shareOf();
    const fails = (): never => {
      throw new Error('no');
    };
    expect(() => share.run(fails, 'apply', nothing)).toThrow('no');
    share.charge(100, 0);
    const later = Promise.resolve(share.run(fails, 'apply', nothing)).catch((error: unknown) => error);
    await clock.turn();
    expect(await later).toEqual(new Error('no'));
  });

  it('lets go on what puts itself off again only in the turn after', async () => {
    const { share, clock } = shareOf();
    let times = 0;
    const again = (): void => {
      times++;
      share.later(again);
    };
    share.later(again);
    for (let turn = 1; turn <= 3; turn++) {
      await clock.turn();
      expect(times).toBe(turn);
    }
  });

  it('sets its timer only after the work of a turn is done', async () => {
    const { share, clock } = shareOf();
    const armed: number[] = [];
    share.later(() => {
      share.charge(20, 0);
      armed.push(clock.timers.length);
      share.charge(20, 0);
    });
    await clock.turn();
    expect(armed).toEqual([0]);
    expect(clock.timers.length).toBe(1);
  });

  it('tells of work that takes longer than a fifth of a second', () => {
    const { share, clock, told } = shareOf();
    const takes = (millis: number): void => {
      void share.run(
        () => (clock.passed += millis),
        'preview',
        () => ({ node: 'a' }),
      );
    };
    takes(longTurnMillis);
    expect(told).toEqual([]);
    takes(longTurnMillis + 1);
    expect(told).toEqual([{ kind: 'preview', millis: longTurnMillis + 1, fields: { node: 'a' } }]);
  });
});
