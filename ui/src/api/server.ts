import { flagAt, listAt, objectAt, objectOf, textAt } from './reading.ts';
import { useReading } from './queries.ts';

/** What the server says of itself and of the caller. */
export interface SessionInfo {
  readonly needsCredentials: boolean;
  readonly actor?: string | undefined;
  /** Undefined where the server does not say: then every button is offered, and the server refuses. */
  readonly roles?: readonly string[] | undefined;
  readonly version?: string | undefined;
  readonly environment?: { readonly name: string; readonly color: string } | undefined;
  readonly traceUrl?: string | undefined;
  readonly details: Readonly<Record<string, string>>;
}

/** Reads `/session`; a server that has no such route tells nothing. */
export function useSession(): SessionInfo | undefined {
  const { data } = useReading({
    path: '/session',
    read: (json): SessionInfo => {
      const value = objectOf(json);
      const server = objectAt(value, 'server') ?? {};
      const environment = objectAt(server, 'environment');
      const roles = listAt(value, 'roles').filter((role): role is string => typeof role === 'string');
      return {
        needsCredentials: textAt(value, 'authentication') === 'required',
        actor: textAt(value, 'actor'),
        roles: roles.length > 0 ? roles : undefined,
        version: textAt(server, 'version'),
        ...(environment !== undefined && {
          environment: { name: textAt(environment, 'name') ?? '', color: textAt(environment, 'color') ?? '' },
        }),
        traceUrl: textAt(server, 'traceUrl'),
        details: {
          ...(textAt(server, 'store') !== undefined && { store: textAt(server, 'store') ?? '' }),
          ...(textAt(server, 'queue') !== undefined && { queue: textAt(server, 'queue') ?? '' }),
          ...(flagAt(server, 'readOnly') && { writes: 'none' }),
        },
      };
    },
  });
  return data;
}
