import type { Role } from '../security/roles.ts';

/** What a route requires of its caller. */
export interface Access {
  /**
   * A role, or: `nothing`; `page`, no credentials, but the guard of a server without authentication applies; `token`, a
   * callback token that the route itself checks; `metrics`, the role viewer unless metrics are public; `session`: as
   * `page`, but good credentials are told apart.
   */
  readonly needs: Role | 'nothing' | 'page' | 'token' | 'metrics' | 'session';
  /** The answer covers more than single definitions, so callers limited to some definitions are refused. */
  readonly isWhole?: true;
}

const viewer: Access = { needs: 'viewer' };
const runner: Access = { needs: 'runner' };
const author: Access = { needs: 'author' };
const operator: Access = { needs: 'operator' };

/** Access by method and route template. Routes below `/sagas` have the same access as those below `/workflows`. */
const table: Readonly<Record<string, Access>> = {
  'POST /workflows/run': author,
  'POST /workflows/definitions/:name/:version/run': runner,

  'GET /workflows': viewer,
  'GET /workflows/top': viewer,
  'GET /workflows/counts': viewer,
  'GET /workflows/:id': viewer,
  'GET /workflows/:id/children': viewer,
  'GET /workflows/:id/definition': viewer,
  'GET /workflows/:id/steps': viewer,
  'GET /workflows/:id/steps/calls': viewer,
  'GET /workflows/:id/steps/calls/:callId': viewer,
  'GET /workflows/:id/timeline': viewer,
  'GET /workflows/:id/events': viewer,
  'GET /workflows/:id/cancel-preview': viewer,
  'GET /workflows/:id/terminate-preview': viewer,
  'GET /workflows/:id/retry-preview': viewer,
  'GET /workflows/:id/undo-preview': viewer,
  'GET /workflows/:id/audit': viewer,

  'POST /workflows/:id/retry': operator,
  'POST /workflows/:id/cancel': operator,
  'POST /workflows/:id/terminate': operator,
  'POST /workflows/:id/wake': operator,
  'POST /workflows/:id/resolve': operator,
  'POST /workflows/:id/undo': operator,
  'POST /workflows/:id/hook/redeliver': operator,
  'POST /workflows/bulk': operator,

  'POST /workflows/:id/node/:nodeId/callback': { needs: 'token' },
  'POST /workflows/:id/node/:nodeId/callback/:token': { needs: 'token' },
  'GET /workflows/:id/node/:nodeId/callback/:token': { needs: 'token' },

  'GET /workflows/definitions': viewer,
  'GET /workflows/definitions/names': viewer,
  'GET /workflows/definitions/:id': viewer,
  'GET /workflows/definitions/:name/:version': viewer,
  'POST /workflows/definitions/validate': viewer,
  'POST /workflows/definitions': author,
  'PUT /workflows/definitions/:id': author,
  'DELETE /workflows/definitions/:id': author,

  'GET /cluster': { needs: 'viewer', isWhole: true },
  'GET /holds': { needs: 'viewer', isWhole: true },
  'GET /holds/:id': { needs: 'viewer', isWhole: true },
  'PUT /holds/:id': { needs: 'operator', isWhole: true },
  'DELETE /holds/:id': { needs: 'operator', isWhole: true },
  'GET /audit': { needs: 'admin', isWhole: true },

  'GET /session': { needs: 'session' },
  'GET /names': author,

  'GET /openapi.json': viewer,
  'GET /schema/definition.json': viewer,
  'GET /metrics': { needs: 'metrics', isWhole: true },
  'GET /': { needs: 'nothing' },
  'GET /ui': { needs: 'page' },
  'GET /ui/*': { needs: 'page' },
  'GET /healthz': { needs: 'nothing' },
  'GET /readyz': { needs: 'nothing' },
};

/**
 * What a route requires. A route that the table lacks stops the server from being built, so that no route is open by
 * oversight.
 *
 * @throws Error if the table has no entry.
 */
export function accessOf(method: string, url: string): Access {
  const key = `${method === 'HEAD' ? 'GET' : method} ${url.replace(/^\/sagas(?=\/|$)/, '/workflows')}`;
  const access = Object.hasOwn(table, key) ? table[key] : undefined;
  if (access === undefined) throw new Error(`The route ${key} has no entry in the table of access.`);
  return access;
}
