/** What an execution waits for, and at which hosts, by its state alone: for lists and counts, which have no plan at hand. */
import type { State, Token } from './state.ts';
import type { CurrentNode } from './summary.ts';
import { attemptingOf, blockedOf, isBlocked } from './call/attempting.ts';

/** One thing that an execution waits for. */
export interface Wait {
  readonly nodeId: string;
  /** As in the status document; COMPENSATING includes the wait before a compensation's next attempt. */
  readonly state: Exclude<CurrentNode['state'], 'JOINING'>;
  /** The host whose call is blocked or failed last; absent where none is known. */
  readonly host?: string;
}

/** Everything that it waits for; empty once it is over. A split waits for nothing but its branches, which are listed themselves. */
export function waitsOf(state: State): readonly Wait[] {
  if (state.end !== undefined) return [];
  return state.tokens.flatMap((token) => (token.stage.kind === 'forked' ? [] : [waitOf(state, token)]));
}

/**
 * The hosts that it waits for; once it is over, those whose calls made it fail. Without repetitions, each with its port where that
 * is not the usual one.
 */
export function hostsOf(state: State): readonly string[] {
  const hosts =
    state.end === undefined
      ? waitsOf(state).map(({ host }) => host)
      : [state.verdict?.host, ...(state.failedCompensations ?? []).map(({ host }) => host)];
  return [...new Set(hosts.filter((host) => host !== undefined))];
}

/** Whether one of its hosts is the one that is asked for, on any port if none is given. */
export function isAtHost(state: State, host: string): boolean {
  return hostsOf(state).some((each) => each === host || each.replace(/:\d+$/, '') === host);
}

function waitOf(state: State, { nodeId, stage }: Token): Wait {
  const blocked = isBlocked(stage) ? blockedOf(stage) : undefined;
  const of = stage.kind === 'unwinding' ? (stage.undo?.target.nodeId ?? nodeId) : nodeId;
  const host = blocked === undefined ? failedHost(stage) : blocked.host;
  const wait = { nodeId: of, state: blocked === undefined ? stateOf(state, stage) : 'BLOCKED' } as const;
  return host === undefined ? wait : { ...wait, host };
}

function failedHost(stage: Token['stage']): string | undefined {
  return stage.kind === 'waiting' ? undefined : attemptingOf(stage)?.failure?.host;
}

function stateOf(state: State, stage: Token['stage']): Wait['state'] {
  switch (stage.kind) {
    case 'ready':
    case 'forked':
      return state.startAt === undefined ? 'SCHEDULED' : 'SLEEPING';
    case 'calling':
      return 'CALLING';
    case 'backoff':
      return 'BACKOFF';
    case 'waiting':
      return 'WAITING_CALLBACK';
    case 'sleeping':
      return 'SLEEPING';
    case 'draining':
    case 'unwinding':
      return 'COMPENSATING';
    case 'hook':
      return 'HOOK';
  }
}
