/**
 * The guard of a server without authentication: only direct requests from this machine. A name that resolves to this
 * machine (DNS rebinding), a proxy that forwards from elsewhere and a web page of another origin are all refused.
 */
import type { IncomingHttpHeaders } from 'node:http';

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Why the request is refused, as a sentence; undefined when it may pass. */
export function refusalOf(headers: IncomingHttpHeaders): string | undefined {
  for (const name in headers) {
    if (name === 'forwarded' || name.startsWith('x-forwarded-')) {
      return `Requests with the header ${name} are refused while authentication is off.`;
    }
  }
  if (!isLoopback(headers.host)) {
    return 'Only requests to localhost, 127.0.0.1 or [::1] are answered while authentication is off.';
  }
  const { origin } = headers;
  if (origin !== undefined && !isLoopback(/^https?:\/\/(.+)$/.exec(origin)?.[1])) {
    return 'Requests of other origins are refused while authentication is off.';
  }
  return undefined;
}

/** Whether `name` or `name:port` is this machine by name. */
function isLoopback(host: string | undefined): boolean {
  return host !== undefined && loopbackNames.has(host.replace(/:\d{1,5}$/, '').toLowerCase());
}
