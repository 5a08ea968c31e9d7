/** The target of a call in normalized form: scheme, host and port. */
export interface Origin {
  /** `http://host:80`, always with the port. */
  readonly text: string;
  /** Lower case, without a trailing dot; IPv6 in brackets. */
  readonly host: string;
  /** `host:80`. */
  readonly hostPort: string;
}

/** The origin of an http or https URL; undefined for other text. */
export function originOf(url: string): Origin | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return undefined;
  const host = parsed.hostname.replace(/\.$/, '');
  const hostPort = `${host}:${parsed.port || (parsed.protocol === 'http:' ? '80' : '443')}`;
  return { text: `${parsed.protocol}//${hostPort}`, host, hostPort };
}

/** Scheme and authority as written in a URL, extracted cheaply. They determine the origin. */
export function authorityOf(url: string): string {
  return url.slice(0, authorityEnd(url, url.indexOf('//') + 2));
}

/** Where the authority of a URL ends that begins at `from`. */
export function authorityEnd(url: string, from: number): number {
  for (let i = from; i < url.length; i++) {
    switch (url.charCodeAt(i)) {
      case 0x23: // #
      case 0x2f: // /
      case 0x3f: // ?
      case 0x5c: // \
        return i;
      default:
    }
  }
  return url.length;
}

/**
 * Normalizes a host from a person's input; the result has a port only if the text has one. Undefined for text that is not
 * a host.
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
