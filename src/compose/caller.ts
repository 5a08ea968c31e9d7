/** The caller of downstreams as configured. */
import type { Config } from '../config/config.ts';
import { createEgressPolicy } from '../http-caller/egress-policy.ts';
import type { OwnListeners } from '../http-caller/own-listeners.ts';
import { UndiciCaller } from '../http-caller/undici-caller.ts';
import type { HttpCaller } from '../ports/http-caller.ts';
import { readAuthorities, readKeyPair } from './tls-files.ts';

/** Makes it; throws an Error that names the key of what cannot work. `own` may learn of its listeners later. */
export function createCaller({ http }: Config, version: string, own: OwnListeners): HttpCaller {
  const { egress } = http;
  const policy = createEgressPolicy({ ...egress, own });
  if (!policy.ok) throw new Error(policy.problems.map((problem) => `http.egress.${problem}`).join(' '));
  const ca = readAuthorities(egress.tls.caFile, 'http.egress.tls.caFile');
  return new UndiciCaller({
    policy: policy.policy,
    own,
    userAgent: `trama/${version}`,
    connectTimeoutMillis: http.connectTimeoutMillis,
    maxResponseBytes: http.maxResponseBytes,
    maxConcurrencyPerHost: http.perHost.maxConcurrency,
    perHostOverrides: http.perHost.overrides,
    tls: { ...(ca === undefined ? {} : { ca }), ...readKeyPair('http.egress.tls', egress.tls) },
    ...(egress.proxy === undefined ? {} : { proxy: egress.proxy }),
  });
}
