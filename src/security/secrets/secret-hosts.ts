interface Place {
  /** Whether the secret goes there by https only. */
  readonly needsTls: boolean;
  /** Canonical; a suffix has its leading dot. */
  readonly host: string;
  readonly isSuffix: boolean;
  /** Absent: every port. */
  readonly port: string | undefined;
}

/**
 * Which secrets may go to which hosts. Hosts are compared as a client reads them, not as a URL spells them: case, a
 * trailing dot, Unicode forms and decimal addresses make no difference, in the rules as in the URL.
 *
 * Immutable.
 */
export class SecretHosts {
  readonly #places = new Map<string, readonly Place[]>();

  /**
   * `rules` has the places of each secret that is bound: `host`, `host:port`, `*.suffix` (which its own suffix is not) or
   * `*.suffix:port`; IPv6 in brackets; with `https://` before it where only https will do. A secret with an empty list may go
   * nowhere.
   *
   * @throws Error with a sentence when a place is none.
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

  /** Names of the secrets that are bound. */
  get names(): readonly string[] {
    return [...this.#places.keys()];
  }

  /**
   * Whether a secret may go to the host of a URL: when it is not bound at all, unless the host comes from data; never when the URL
   * is not valid.
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
