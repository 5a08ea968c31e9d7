/**
 * Reads and checks the certificates and keys in the files that the configuration names: at the start, so that unusable
 * ones stop it with the name of the key, and again when they change (`tls-renewal.ts`). Errors of later connections
 * name the keys as well.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config, TlsConfig } from '../../config/config.ts';

/** A certificate of this process, and its private key, as PEM texts. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** TLS of connections from this process to a server. */
export interface TlsMaterial {
  /** PEM texts of the only trusted authorities; absent: those of Node. */
  readonly ca?: string | undefined;
  /** Our certificate and key. The three texts may change; each connection reads them anew. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must be for; absent: the host. */
  readonly serverName?: string | undefined;
  /** Explains an error of a connection in terms of the configuration, where it can. */
  readonly explain: (error: Error) => string | undefined;
}

/** The files of a group of keys. */
interface PairFiles {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

const certificateHeader = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/;
const keyHeader = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/;

/**
 * The authorities of a PEM file; undefined when none is configured.
 *
 * @throws Error naming the key of the configuration when the file cannot be read or holds no certificates.
 */
export function readAuthorities(path: string | undefined, key: string): string | undefined {
  if (path === undefined) return undefined;
  const text = readPem(path, key, certificateHeader, 'certificate');
  checkCertificates(text, path, key);
  return text;
}

/**
 * The certificate and the key of a group of keys; undefined when none are configured.
 *
 * @throws Error naming the key of the configuration: unreadable, no PEM, a key with a passphrase or of another
 * certificate.
 */
export function readKeyPair(group: string, { certFile, keyFile }: PairFiles): KeyPair | undefined {
  if (certFile === undefined || keyFile === undefined) return undefined;
  const cert = readPem(certFile, `${group}.certFile`, certificateHeader, 'certificate');
  const key = readPem(keyFile, `${group}.keyFile`, keyHeader, 'private key');
  checkCertificates(cert, certFile, `${group}.certFile`);
  if (/ENCRYPTED/.test(key)) {
    throw new Error(
      `${group}.keyFile: the key in the file ${keyFile} has a passphrase; Trama needs a key without one.`,
    );
  }
  attempt(() => createSecureContext({ key }), `${group}.keyFile: the key in the file ${keyFile} cannot be read`);
  attempt(
    () => createSecureContext({ cert, key }),
    `${group}.keyFile: the key in the file ${keyFile} does not belong to the certificate in ${certFile} (${group}.certFile)`,
  );
  return { cert, key };
}

/** TLS as configured below `group`; undefined when it is off. Throws as {@link readAuthorities} and {@link readKeyPair}. */
export function readTls(group: string, files: TlsConfig): TlsMaterial | undefined {
  if (!files.isOn) return undefined;
  const ca = readAuthorities(files.caFile, `${group}.caFile`);
  const { serverName } = files;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...readKeyPair(group, files),
    ...(serverName === undefined ? {} : { serverName }),
    explain: (error) => explain(group, files, error),
  };
}

/**
 * A sentence for each of our certificates that is not valid now: the other side will refuse it, and its error may say
 * little. Throws as {@link readKeyPair}.
 */
export function invalidCertificates({ server, database, redis, http }: Config, now: number): readonly string[] {
  const groups = {
    'server.tls': server.tls,
    'database.ssl': database.ssl,
    'redis.tls': redis.tls,
    'http.egress.tls': http.egress.tls,
  };
  return Object.entries(groups).flatMap(([group, files]) => {
    const pair = readKeyPair(group, files);
    return pair === undefined ? [] : (validityOf(pair, group, now) ?? []);
  });
}

function validityOf(pair: KeyPair, group: string, now: number): string | undefined {
  const { validFromDate, validToDate } = new X509Certificate(pair.cert);
  if (validToDate.getTime() < now) return `${group}.certFile: the certificate expired at ${validToDate.toISOString()}`;
  if (validFromDate.getTime() > now) {
    return `${group}.certFile: the certificate is not valid before ${validFromDate.toISOString()}`;
  }
  return undefined;
}

function readPem(path: string, key: string, header: RegExp, what: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${key}: the file ${path} cannot be read (${codeOf(error)}).`, { cause: error });
  }
  if (!header.test(text)) throw new Error(`${key}: the file ${path} holds no ${what} in PEM.`);
  return text;
}

/** A TLS context omits certificates that it cannot read, and then trusts no server. */
function checkCertificates(text: string, path: string, key: string): void {
  const blocks = text.match(/-----BEGIN [^-]*CERTIFICATE-----[^]*?(?:-----END [^-]*CERTIFICATE-----|$)/g) ?? [];
  for (const block of blocks) {
    attempt(() => new X509Certificate(block), `${key}: a certificate in the file ${path} cannot be read`);
  }
}

function attempt(work: () => unknown, problem: string): void {
  try {
    work();
  } catch (error) {
    throw new Error(`${problem} (${codeOf(error)}).`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/** No trusted authority has signed the certificate: X509_V_ERR_… of OpenSSL as Node names them. */
const untrusted: ReadonlySet<string> = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The server ended the handshake because of our certificate, or because we showed none. */
const refusedPair = /^ERR_SSL_.*ALERT_.*(?:CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)/;

function explain(group: string, files: TlsConfig, error: Error): string | undefined {
  const code = codeOf(error);
  if (untrusted.has(code)) {
    return files.caFile === undefined
      ? `${group}.caFile names the authority where it is not a well-known one`
      : `${group}.caFile does not hold the authority of the server's certificate`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return `the server's certificate or its authority's, ${group}.caFile`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `${group}.serverName says which name to expect`;
  // Postgres reports this in its own words, after the handshake.
  const isRefused =
    refusedPair.test(code) || (code === '28000' && /certificate|"trust" authentication failed/.test(error.message));
  if (isRefused) {
    return files.certFile === undefined
      ? `the server wants a client certificate: ${group}.certFile and ${group}.keyFile`
      : `the server does not accept the client certificate, ${group}.certFile`;
  }
  const isPlain = code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /does not support SSL|SSL connection/.test(error.message);
  return isPlain ? `the server speaks no TLS there, and ${group} is on` : undefined;
}
