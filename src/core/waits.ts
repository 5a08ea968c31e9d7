import type { State, Token } from './state.ts';
import type { CurrentNode } from './summary.ts';
import { attemptingOf, blockedOf, isBlocked } from './call/attempting.ts';

/** One thing that an execution waits for. */
export interface Wait {
  readonly nodeId: string;
  /** As in the status document; COMPENSATING includes the wait for the next attempt of a compensation. */
  readonly state: Exclude<CurrentNode['state'], 'JOINING'>;
  /** The host whose call is blocked or failed last; absent if none is known. */
  readonly host?: string;
}

/**
 * Everything that an execution waits for, derived from its state alone, since lists and counts have no plan. Empty once
 * the execution is over. A split is omitted, since its branches are listed themselves.
 */
export function waitsOf(state: State): readonly Wait[] {
  if (state.end !== undefined) return [];
  return state.tokens.flatMap((token) =>
    token.stage.kind === 'forked' || token.stage.kind === 'looping' ? [] : [waitOf(state, token)],
  );
}

/**
 * The distinct hosts that an execution waits for, or, once it is over, those whose calls made it fail. Each has its
 * port.
 */
export function hostsOf(state: State): readonly string[] {
  const hosts =
    state.end === undefined
      ? waitsOf(state).map(({ host }) => host)
      : [state.verdict?.host, ...(state.failedCompensations ?? []).map(({ host }) => host)];
  return [...new Set(hosts.filter((host) => host !== undefined))];
}

/** Whether the execution waits for, or failed at, the given host; on any port if `host` has none. */
export function isAtHost(state: State, host: string): boolean {
  return hostsOf(state).some((each) => isSameHost(each, host));
}

/** Whether a host with its port is the given one, on any port if that has none. */
export function isSameHost(host: string, wanted: string): boolean {
  return host === wanted || host.replace(/:\d+$/, '') === wanted;
}

function waitOf(state: State, { nodeId, stage }: Token): Wait {
  const blocked = isBlocked(stage) ? blockedOf(stage) : undefined;
  const of = stage.kind === 'unwinding' ? (stage.undo?.target.nodeId ?? nodeId) : nodeId;
  const host = blocked === undefined ? failedHost(stage) : blocked.host;
  const wait = { nodeId: of, state: blocked === undefined ? waitStateOf(state, stage) : 'BLOCKED' } as const;
  return host === undefined ? wait : { ...wait, host };
}

function failedHost(stage: Token['stage']): string | undefined {
  return stage.kind === 'waiting' ? undefined : attemptingOf(stage)?.failure?.host;
}

function waitStateOf(state: State, stage: Token['stage']): Wait['state'] {
  return stage.kind === 'ready' && state.startAt !== undefined ? 'SLEEPING' : stateOf(stage);
}

/** The state of a token that is not blocked, and not the parent of branches or items. */
export function stateOf(stage: Token['stage']): Wait['state'] {
  switch (stage.kind) {
    case 'ready':
    case 'forked':
    case 'looping':
      return 'SCHEDULED';
    case 'calling':
      return 'CALLING';
    case 'backoff':
      return 'BACKOFF';
    case 'waiting':
      return 'WAITING_CALLBACK';
    case 'sleeping':
      return 'SLEEPING';
    case 'child':
      return stage.part === 'starting' ? 'SCHEDULED' : 'WAITING_CHILD';
    case 'draining':
    case 'unwinding':
      return 'COMPENSATING';
    case 'hook':
      return 'HOOK';
  }
}
