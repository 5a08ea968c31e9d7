/**
 * Restricts the servers of the command line, which require no credentials, to this machine and the server that they
 * belong to.
 */
import { isLoopback } from '../../config/rules.ts';
import { RequestGuard } from '../../api/http/request-guard.ts';

const localHosts = ['localhost', '127.0.0.1', '[::1]'];

/**
 * A guard for a server on loopback, like that of a server without authentication. `setting` names the option that adds
 * other hosts.
 */
export function localGuard(others?: { readonly hosts: readonly string[]; readonly setting: string }): RequestGuard {
  return new RequestGuard({
    allowedHosts: [...localHosts, ...(others?.hosts ?? [])],
    refusesProxies: true,
    hostsShown:
      others === undefined
        ? 'localhost, 127.0.0.1 and [::1]'
        : `localhost, 127.0.0.1, [::1] and the hosts of ${others.setting}`,
  });
}

/**
 * Whether an address in a request may be called back: on this machine, or at the origin of `server`. Otherwise the
 * sender of a request could choose any host of the network.
 */
export function mayBeCalledBack(url: string, server?: string): boolean {
  const target = URL.parse(url);
  if (target === null || !/^https?:$/.test(target.protocol)) return false;
  return isLoopback(target.hostname) || (server !== undefined && URL.parse(server)?.origin === target.origin);
}
