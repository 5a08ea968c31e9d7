/**
 * A call that needs an access token takes a place at two hosts: at that of the token endpoint until the token is there, and at its own.
 * Without the former a token endpoint that never answers could take every place of the process, by calls to several hosts.
 */
import type { Block, CallGate, Entry, GatedCall, Pass } from './call-gate.ts';

/** Enters for the token first, then for the call. Whatever keeps the call back keeps no place meanwhile. */
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

/** What comes of the call's own entry while it has its place at the token endpoint. */
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
