/**
 * The parts of undici that calls need. Its index also loads fetch, caches, WebSockets and mocks, which Trama does not
 * use: some 12 MiB and a tenth of a second at every start.
 */
import { createRequire } from 'node:module';
import type {
  Dispatcher,
  Agent as AgentClass,
  Pool as PoolClass,
  ProxyAgent as ProxyAgentClass,
  buildConnector as build,
  errors as all,
} from 'undici';

const load = createRequire(import.meta.url);

/** See undici. */
export const Agent: typeof AgentClass = load('undici/lib/dispatcher/agent.js') as typeof AgentClass;
/** See undici. */
export const Pool: typeof PoolClass = load('undici/lib/dispatcher/pool.js') as typeof PoolClass;
/** Loads the class `ProxyAgent`, with the modules of SOCKS, which only `http.egress.proxy` needs. */
export function loadProxyAgent(): typeof ProxyAgentClass {
  return load('undici/lib/dispatcher/proxy-agent.js') as typeof ProxyAgentClass;
}
/** See undici. */
export const buildConnector: typeof build = load('undici/lib/core/connect.js') as typeof build;
/** See undici. */
export const errors: typeof all = load('undici/lib/core/errors.js') as typeof all;

// The index adds its API methods to all dispatchers. A proxy agent creates its tunnels with this one.
Object.assign(Pool.prototype, { connect: load('undici/lib/api/api-connect.js') as Dispatcher['connect'] });
