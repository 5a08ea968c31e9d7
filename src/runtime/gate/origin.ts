/** Where a call goes: scheme, host and port, in one form whatever the URL looks like. */

/** See the file header. */
export interface Origin {
  /** `http://host:80`: the port always shows. */
  readonly text: string;
  /** Lower case, without a dot at the end; IPv6 in brackets. */
  readonly host: string;
  /** `host:80`. */
  readonly hostPort: string;
}

/** The origin of an http or https URL; undefined when the text is no such URL. */
export function originOf(url: string): Origin | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return undefined;
  const host = parsed.hostname.replace(/\.$/, '');
  const hostPort = `${host}:${parsed.port || (parsed.protocol === 'http:' ? '80' : '443')}`;
  return { text: `${parsed.protocol}//${hostPort}`, host, hostPort };
}

/** Scheme and authority as they stand in a URL: what decides its origin, cut out cheaply. */
export function authorityOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const end = url.slice(begin).search(/[/?#\\]/);
  return end < 0 ? url : url.slice(0, begin + end);
}
