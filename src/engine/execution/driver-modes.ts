/**
 * The mode of an execution's driver.
 * - `idle`: everything applied so far is durable, except `prepared` events, which may be lost; events are applied as they come.
 * - `putOff`: the share of this turn of the event loop is spent (see `LoopShare`); events wait for a later turn.
 * - `committing`: one checkpoint is under way; events wait.
 * - `faulted`: the engine failed on the execution; after a pause the driver applies all events since the durable state again.
 * - `ended`: the driver no longer holds the execution, and ignores later answers and events.
 */
export type DriverMode = 'idle' | 'putOff' | 'committing' | 'faulted' | 'ended';

/** The modes that may follow each mode, with their causes. `docs/state-machine.md` draws them. */
export const modeChanges: Readonly<Record<DriverMode, Readonly<Partial<Record<DriverMode, string>>>>> = {
  idle: {
    putOff: "events are left, the turn's share is spent",
    committing: 'something must be written',
    faulted: 'the engine failed',
    ended: 'over, parked, or handed back',
  },
  putOff: {
    idle: 'the next turn',
    faulted: 'a read failed',
    ended: 'the process stops, or too many faults',
  },
  committing: {
    idle: 'the store answered',
    ended: 'the process stops without an answer',
  },
  faulted: {
    idle: 'the pause is over',
    faulted: 'a read failed during the pause',
    ended: 'the process stops, or too many faults',
  },
  ended: {},
};

/** A driver tried to change its mode in a way that {@link modeChanges} does not allow: a bug of the engine. */
export class ForbiddenModeChange extends Error {
  override readonly name = 'ForbiddenModeChange';

  constructor(from: DriverMode, to: DriverMode) {
    super(`The driver of an execution must not go from ${from} to ${to}.`);
  }
}

/** @throws ForbiddenModeChange when `to` may not follow `from`. */
export function assertModeChange(from: DriverMode, to: DriverMode): void {
  if (modeChanges[from][to] === undefined) throw new ForbiddenModeChange(from, to);
}
