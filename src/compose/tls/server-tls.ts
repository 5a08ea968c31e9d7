import type { ServerTls } from '../../api/http/server-tls.ts';
import type { Config } from '../../config/config.ts';
import { readAuthorities, readKeyPair } from './tls-files.ts';
import type { TlsRenewal } from './tls-renewal.ts';

/**
 * The configured TLS of the API; passes it to `renewed` whenever its files change. Undefined when TLS is off.
 *
 * @throws Error with a sentence that names the key of the configuration.
 */
export function followServerTls(
  files: Config['server']['tls'],
  renewal: TlsRenewal,
  renewed: (tls: ServerTls) => void,
): ServerTls | undefined {
  const { certFile, keyFile, clientCaFile } = files;
  const read = (): ServerTls | undefined => {
    const pair = readKeyPair('server.tls', files);
    const ca = readAuthorities(clientCaFile, 'server.tls.clientCaFile');
    return pair === undefined ? undefined : { ...pair, ...(ca === undefined ? {} : { ca }) };
  };
  return renewal.follow('server.tls', [certFile, keyFile, clientCaFile], read, (tls) => {
    if (tls !== undefined) renewed(tls);
  });
}
