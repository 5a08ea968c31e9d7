import { isSettled } from '../../src/core/delivery.ts';
import type { Stage, Token } from '../../src/core/state.ts';
import { isBlocked } from '../../src/core/call/attempting.ts';
import { randomDefinitionHost } from '../random-definition.ts';
import type { HoldBook } from './hold-book.ts';
import type { Account } from './account.ts';
import { callOf, type ProcessGate } from '../process-gate.ts';

/** The part of an execution that is checked. */
type Seen = Pick<Account, 'id' | 'definition' | 'state'>;

interface Free {
  /** Monotonic. */
  readonly since: number;
  /** Latest end of its wait, by the wall clock: another one with each try. */
  readonly until: number | undefined;
}

/**
 * Finds calls that wait as blocked although nothing keeps them back any more, by tracking since when each blocked call
 * has been free to go. A call that was tried meanwhile and blocked again begins anew if the earlier block was over
 * then: the new block may have lasted for milliseconds, so that no look has seen it. A call that was not tried does not
 * begin anew, however often others take the place that was free for it.
 */
export class BlockedCalls {
  readonly #free = new Map<string, Free>();

  /**
   * Looks at every execution at `now`, by both clocks; answers the calls that have been free for more than `patience`.
   */
  overdue<Of extends Seen>(
    accounts: Iterable<Of>,
    holds: Pick<HoldBook, 'holds'>,
    gates: readonly Pick<ProcessGate, 'keptUntil'>[],
    now: { readonly wall: number; readonly monotonic: number },
    patience: number,
  ): readonly { readonly account: Of; readonly token: Token }[] {
    const overdue: { account: Of; token: Token }[] = [];
    for (const account of accounts) {
      for (const token of isSettled(account.state) ? [] : account.state.tokens) {
        const of = `${account.id} ${String(token.id)}`;
        const { stage } = token;
        const host = hostOf(account, token);
        if (!isBlocked(stage) || host === undefined || holds.holds(callOf(account, host), now.wall)) {
          this.#free.delete(of);
          continue;
        }
        const keptUntil = Math.max(...gates.map((gate) => gate.keptUntil(host)));
        if (keptUntil >= now.monotonic) {
          this.#free.delete(of);
          continue;
        }
        const known = this.#free.get(of) ?? { since: now.monotonic, until: stage.until };
        const since = known.until === stage.until ? known.since : Math.max(known.since, keptUntil);
        this.#free.set(of, { since, until: stage.until });
        if (now.monotonic - since > patience) overdue.push({ account, token });
      }
    }
    return overdue;
  }
}

/** The host of the call that waits in a token. */
function hostOf({ definition }: Seen, { nodeId, stage }: Token): string | undefined {
  return stage.kind === 'hook' ? randomDefinitionHost(0) : definition.tasks.get(targetOf(stage) ?? nodeId)?.host;
}

function targetOf(stage: Stage): string | undefined {
  return stage.kind === 'unwinding' ? stage.undo?.target.nodeId : undefined;
}
