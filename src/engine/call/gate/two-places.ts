import type { Block, CallGate, Entry, GatedCall, Pass } from './call-gate.ts';

/**
 * Enters the gate for a call that needs an access token: first for a place at the token endpoint, held until the call has
 * its token, then for a place at the call's own host. Without the first place, an unresponsive token endpoint could block
 * all workers through calls to several hosts. A blocked call keeps neither place.
 */
export function enterBoth(gate: CallGate, token: GatedCall, call: GatedCall): Entry {
  const first = gate.enter(token);
  if (first.kind === 'blocked') return first;
  if (first.kind === 'open') return joined(first, gate.enter(call));
  return {
    kind: 'queued',
    wait: (then) => {
      let giveUp = first.wait((late) => {
        const both = late.kind === 'blocked' ? late : joined(late, gate.enter(call));
        if (both.kind === 'queued') giveUp = both.wait(then);
        else then(both);
      });
      return () => giveUp();
    },
  };
}

/** The entry of the call itself while it holds a place at the token endpoint. */
function joined(token: Pass, call: Entry): Entry {
  let isHeld = true;
  const release = (): void => {
    if (isHeld) token.done('neutral');
    isHeld = false;
  };
  const settled = (entry: Pass | Block): Pass | Block => {
    if (entry.kind === 'blocked') {
      release();
      return entry;
    }
    return {
      kind: 'open',
      hasToken: release,
      done: (outcome) => {
        release();
        entry.done(outcome);
      },
    };
  };
  if (call.kind !== 'queued') return settled(call);
  return {
    kind: 'queued',
    wait: (then) => {
      const giveUp = call.wait((late) => then(settled(late)));
      return () => {
        giveUp();
        release();
      };
    },
  };
}
