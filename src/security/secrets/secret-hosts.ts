interface Place {
  /** Whether the secret may go there only over https. */
  readonly needsTls: boolean;
  /** Canonical form; a suffix keeps its leading dot. */
  readonly host: string;
  readonly isSuffix: boolean;
  /** Absent: every port. */
  readonly port: string | undefined;
}

/**
 * Decides which secrets may go to which hosts. Immutable. Hosts are compared as a client reads them, in the rules as in
 * the URL: case, a trailing dot, Unicode forms and decimal addresses make no difference.
 */
export class SecretHosts {
  readonly #places = new Map<string, readonly Place[]>();

  /**
   * `rules` has the places of each bound secret: `host`, `host:port`, `*.suffix` (which excludes the suffix itself) or
   * `*.suffix:port`, IPv6 in brackets, with `https://` before it to require https. A secret with an empty list may go
   * nowhere.
   *
   * @throws Error with a sentence for people if a place is invalid.
   */
  constructor(rules: Readonly<Record<string, readonly string[]>>) {
    for (const [secret, places] of Object.entries(rules)) {
      this.#places.set(
        secret,
        places.map((place) => {
          const parsed = placeOf(place);
          if (parsed === undefined) throw new Error(`secrets.hosts.${secret}: ${JSON.stringify(place)} is no host.`);
          return parsed;
        }),
      );
    }
  }

  /** Names of the bound secrets. */
  get names(): readonly string[] {
    return [...this.#places.keys()];
  }

  /**
   * Whether a secret may go to the host of a URL. An unbound secret may, unless the host comes from data. No secret may
   * go to an invalid URL.
   */
  allows(secret: string, url: string, hostFromData: boolean = false): boolean {
    const places = this.#places.get(secret);
    if (places === undefined) return !hostFromData;
    const parsed = URL.parse(url);
    if (parsed === null) return false;
    const host = withoutDots(parsed.hostname);
    const port = parsed.port === '' ? defaultPort(parsed.protocol) : parsed.port;
    return places.some(
      (place) =>
        (!place.needsTls || parsed.protocol === 'https:') &&
        (place.isSuffix ? host.endsWith(place.host) : host === place.host) &&
        (place.port === undefined || place.port === port),
    );
  }
}

function placeOf(text: string): Place | undefined {
  const [, scheme, wildcard, host = '', port] =
    /^(https:\/\/)?(\*\.)?(\[[\da-fA-F:.]+\]|[^\s:/@?#\\*[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const url = URL.parse(`http://${host}`);
  if (url === null || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined;
  const canonical = withoutDots(url.hostname);
  const isAddress = /^[\d.]+$|^\[/.test(canonical);
  if (canonical === '' || (wildcard !== undefined && isAddress)) return undefined;
  return {
    needsTls: scheme !== undefined,
    host: wildcard === undefined ? canonical : `.${canonical}`,
    isSuffix: wildcard !== undefined,
    port: port === undefined ? undefined : String(Number(port)),
  };
}

function withoutDots(host: string): string {
  return host.replace(/\.+$/, '');
}

function defaultPort(protocol: string): string {
  return protocol === 'https:' ? '443' : '80';
}
