import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import type { PostgresTls } from './options.ts';

/**
 * TLS options for a host. They check the server's name explicitly: pg passes an upgraded socket without a host, and Node then
 * checks "localhost" when the host is an address.
 */
export function tlsOptions(tls: PostgresTls, host: string): ConnectionOptions {
  const { serverName, rejectUnauthorized = true, checkName = true } = tls;
  const name = serverName ?? host;
  return {
    rejectUnauthorized,
    // Getters, because the files may be renewed: pg reads them for each connection.
    get ca() {
      return tls.ca;
    },
    get cert() {
      return tls.cert;
    },
    get key() {
      return tls.key;
    },
    // An address has no SNI name.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => (checkName ? checkServerIdentity(name, certificate) : undefined),
  };
}
