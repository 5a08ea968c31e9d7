/** What keeps calls back, broken one rule at a time, to show that the simulator's rules about it bite. */
import type { BlockCause } from '../../src/core/state.ts';
import type { Checkpoint, Store } from '../../src/ports/store.ts';
import type { CallGate } from '../../src/engine/call/gate/call-gate.ts';
import { withOperations } from './sabotage.ts';

/** A gate that lets pass what it would block for that cause. */
export function openTo(cause: BlockCause): (gate: CallGate) => CallGate {
  return (gate) => ({
    pulse: gate.pulse,
    start: (retry) => gate.start(retry),
    stop: () => gate.stop(),
    ended: (id) => gate.ended(id),
    keepOnly: (isOurs) => gate.keepOnly(isOurs),
    enter: (call) => {
      const entry = gate.enter(call);
      const isBlocked = entry.kind === 'queued' ? cause === 'slots' : entry.kind === 'blocked' && entry.cause === cause;
      return isBlocked ? { kind: 'open', done: () => undefined } : entry;
    },
  });
}

/** A process never hears that a hold was lifted. It stands between the process and its wire to the store. */
export function deafToLifts(store: Store): Store {
  let latest: string | undefined;
  return withOperations(store, {
    getSetting: async (name) => {
      const text = await store.getSetting(name);
      if (name !== 'operator.holds') return text;
      if (text !== undefined && text !== '[]') latest = text;
      return latest;
    },
  });
}

/** A call that was kept back counts as an attempt. */
export function withSpentAttempts(store: Store): Store {
  const spend = (checkpoint: Checkpoint): Checkpoint => {
    const tokens = checkpoint.state.tokens.map((token) => {
      const { stage } = token;
      if (stage.kind !== 'backoff' || stage.task.blocked === undefined) return token;
      return { ...token, stage: { ...stage, task: { ...stage.task, attempt: stage.task.attempt + 1 } } };
    });
    return { ...checkpoint, state: { ...checkpoint.state, tokens } };
  };
  return withOperations(store, { checkpoint: (batch) => store.checkpoint(batch.map(spend)) });
}
