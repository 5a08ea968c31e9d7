import type { Config } from '../config/config.ts';
import type { OutboundTls } from '../http-caller/connector.ts';
import { createEgressPolicy } from '../http-caller/egress-policy.ts';
import type { OwnListeners } from '../http-caller/own-listeners.ts';
import { UndiciCaller } from '../http-caller/undici-caller.ts';
import type { HttpCaller } from '../ports/http-caller.ts';
import { readAuthorities, readKeyPair } from './tls/tls-files.ts';
import type { TlsRenewal } from './tls/tls-renewal.ts';

/** What a caller needs. */
export interface CallerParts {
  readonly version: string;
  /** May learn of its listeners later. */
  readonly own: OwnListeners;
  readonly renewal: TlsRenewal;
}

/** Creates the caller of downstreams; throws an Error that names the key of a setting that cannot work. */
export function createCaller({ http }: Config, { version, own, renewal }: CallerParts): HttpCaller {
  const { egress } = http;
  const policy = createEgressPolicy({ ...egress, own });
  if (!policy.ok) throw new Error(policy.problems.map((problem) => `http.egress.${problem}`).join(' '));
  const group = 'http.egress.tls';
  const { caFile, certFile, keyFile } = egress.tls;
  const read = (): OutboundTls => {
    const ca = readAuthorities(caFile, `${group}.caFile`);
    return { ...(ca === undefined ? {} : { ca }), ...readKeyPair(group, egress.tls) };
  };
  const tls = renewal.follow(group, [caFile, certFile, keyFile], read, (renewed) => {
    caller.renewTls(renewed);
  });
  const caller = new UndiciCaller({
    policy: policy.policy,
    own,
    userAgent: `trama/${version}`,
    connectTimeoutMillis: http.connectTimeoutMillis,
    maxResponseBytes: http.maxResponseBytes,
    maxConcurrencyPerHost: http.perHost.maxConcurrency,
    perHostOverrides: http.perHost.overrides,
    tls,
    ...(egress.proxy === undefined ? {} : { proxy: egress.proxy }),
  });
  return caller;
}
