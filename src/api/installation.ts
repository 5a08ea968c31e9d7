/** Names that authors may use in definitions, never values, and the limits in force. */
export interface KnownNames {
  readonly variables: readonly string[];
  /** `hosts`: the only places where the secret may be sent. */
  readonly secrets: readonly { readonly name: string; readonly hosts?: readonly string[] }[];
  /** By their keys in the configuration. */
  readonly limits: Readonly<Record<string, number>>;
}

/** What callers may know of the installation that they talk to. */
export interface Installation {
  readonly store: 'sqlite' | 'postgres';
  readonly queue: 'memory' | 'redis' | 'cluster';
  /** How callers sign in; empty where no credentials are needed. */
  readonly methods: readonly ('apiKey' | 'oidc')[];
  /** A name and a colour that tell it from other installations. */
  readonly environment?: { readonly name: string; readonly color?: string };
  /** Templates of links to traces and logs. */
  readonly traceUrl?: string;
  readonly logUrl?: string;
  readonly names: () => KnownNames;
}

/** An installation of which nothing is known. */
export const unknownInstallation: Installation = {
  store: 'sqlite',
  queue: 'memory',
  methods: [],
  names: () => ({ variables: [], secrets: [], limits: {} }),
};
