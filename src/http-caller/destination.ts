/** Where a request goes: the origin of its URL, and the rest that its first line names. */

/** The origin of an http or https URL. */
export interface Origin {
  /** As in `http://host:8080`: normalized, without a default port. */
  readonly text: string;
  readonly hostname: string;
  readonly port: number;
}

/** The origin and the path of a URL. */
export interface Destination {
  readonly origin: Origin;
  /** Path and query. */
  readonly path: string;
}

/** Scheme and authority in the plainest form: no user information, and nothing that could begin a path, query or fragment. */
const plainBeginning = /^https?:\/\/[\w.:[\]-]+$/;

/**
 * A path and query that the parser of URLs would return unchanged: without dot segments, characters to encode, and a
 * fragment.
 */
const plainPath = /^(?:\/(?!\.|%2e)[\w.~!$&()*+,;=:@%?-]*)+$/i;

/** Characters of the shortest scheme with its slashes and one letter of a host. */
const shortestBeginning = 'http://h'.length;

/** Number of remembered origins. URLs from data may name any number of hosts. */
const maxOrigins = 1_000;

/**
 * Finds the destinations of URLs. It remembers origins, because parsing a URL costs more than all other preparations of
 * its request, and most requests of a process go to a few origins by plain paths.
 */
export class Destinations {
  /** By scheme and authority as written. */
  readonly #origins = new Map<string, Origin>();

  /** The destination of a URL, or a sentence on why no request can go to it. */
  of(url: string): Destination | string {
    const end = url.indexOf('/', shortestBeginning);
    if (end < 0) return parsed(url);
    const path = url.slice(end);
    if (!plainPath.test(path)) return parsed(url);
    const beginning = url.slice(0, end);
    const known = this.#origins.get(beginning);
    if (known !== undefined) return { origin: known, path };
    const destination = parsed(url);
    if (typeof destination === 'string' || !plainBeginning.test(beginning)) return destination;
    if (this.#origins.size >= maxOrigins) this.#origins.clear();
    this.#origins.set(beginning, destination.origin);
    return destination;
  }
}

function parsed(text: string): Destination | string {
  const url = URL.parse(text);
  if (url === null) return 'The URL is not valid.';
  const { protocol, port } = url;
  if (protocol !== 'http:' && protocol !== 'https:') return `The URL's scheme ${protocol} is not http or https.`;
  if (url.username !== '' || url.password !== '') return 'The URL holds user information; use auth instead.';
  const defaultPort = protocol === 'https:' ? 443 : 80;
  const origin = { text: url.origin, hostname: url.hostname, port: port === '' ? defaultPort : Number(port) };
  return { origin, path: url.pathname + url.search };
}
