/** The target of a call: scheme, host and port, in one form whatever the URL looks like. */
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

/** Scheme and authority as they appear in a URL, cut out cheaply: they determine its origin. */
export function authorityOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const end = url.slice(begin).search(/[/?#\\]/);
  return end < 0 ? url : url.slice(0, begin + end);
}

/**
 * A host that a person named, as URLs write it, with its port only where the text has one; undefined when it is no
 * host.
 */
export function placeOf(text: string): string | undefined {
  if (text === '' || /[\s/?#@\\%]/.test(text)) return undefined;
  // An IPv6 address without brackets has no port.
  const authority = (text.match(/:/g) ?? []).length > 1 && !text.startsWith('[') ? `[${text}]` : text;
  const origin = originOf(`http://${authority}`);
  if (origin === undefined) return undefined;
  const port = /:(\d+)$/.exec(authority)?.[1];
  return port === undefined ? origin.host : `${origin.host}:${String(Number(port))}`;
}
