import type { KeySpec } from '../key.ts';
import { optional, text, type Kind } from '../kinds.ts';

/** The optional path of a PEM file. */
export const pemFile: Kind<string | undefined> = optional(text('the path of a file'));

/** Names of the keys below a flag that turns TLS on. */
export const tlsNames = ['caFile', 'certFile', 'keyFile', 'serverName'] as const;

type TlsName = (typeof tlsNames)[number];

/** The TLS keys below `group`, the same for every kind of server; `server` names it in their descriptions. */
export function tlsKeys<G extends string>(
  group: G,
  server: string,
): { readonly [N in TlsName as `${G}.${N}`]: KeySpec<string | undefined> } {
  const key = (meaning: string, kind = pemFile): KeySpec<string | undefined> => ({ meaning, kind, default: undefined });
  const keys: Readonly<Record<TlsName, KeySpec<string | undefined>>> = {
    caFile: key(
      `PEM file with the only authorities that may vouch for ${server}. Without it, those that Node trusts: the well-known ones and \`NODE_EXTRA_CA_CERTS\`.`,
    ),
    certFile: key(`PEM file with the client certificate shown to ${server}; needs \`${group}.keyFile\`.`),
    keyFile: key(`PEM file with the private key of \`${group}.certFile\`.`),
    serverName: key(
      `The name that the certificate of ${server} has to be for, where it is not the host that is connected to.`,
      optional(text('a host name', /^[\w-]+(?:\.[\w-]+)*$/)),
    ),
  };
  const entries = tlsNames.map((name) => [`${group}.${name}`, keys[name]]);
  return Object.fromEntries(entries) as ReturnType<typeof tlsKeys<G>>;
}
