import { hostname } from 'node:os';
import { isIPv6 } from 'node:net';

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]']);

/** Where a server listens. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** The URL for callers on the same machine. */
export function localUrl({ host, port, isTls }: Listening): string {
  return urlOf(wildcards.has(host) ? 'localhost' : host, port, isTls);
}

/** The URL for callers that know this machine by name; a guess where the server listens on every address. */
export function reachableUrl({ host, port, isTls }: Listening): string {
  return urlOf(wildcards.has(host) ? hostname() : host, port, isTls);
}

function urlOf(host: string, port: number, isTls: boolean): string {
  return `${isTls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
