import type { SecretHosts } from './secret-hosts.ts';
import { SecretSearch } from './secret-search.ts';

/** The searched parts of a request: everything sent except what the engine itself adds. */
export interface SearchedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * Finds values of host-bound secrets in requests to other hosts. A downstream may echo a secret that it received
 * legitimately; a template that reads the echo could send it anywhere without naming the secret.
 *
 * Costs nothing while no secret is bound. Otherwise one search per request covers all values, in time linear in its
 * length; only a request that contains a value is searched for each secret. Immutable: a change of a value needs a new
 * instance.
 */
export class BoundValues {
  readonly #hosts: SecretHosts;
  readonly #any: SecretSearch;
  readonly #values: ReadonlyMap<string, readonly string[]>;
  /** Searches by name of the secret; created when a request contains one of the values, which is rare. */
  readonly #each = new Map<string, SecretSearch>();

  /** `values` has the values of each bound secret, rotated ones included. */
  constructor(hosts: SecretHosts, values: ReadonlyMap<string, readonly string[]>) {
    this.#hosts = hosts;
    this.#any = new SecretSearch([...values.values()].flat());
    this.#values = values;
  }

  /**
   * The name of a secret whose value the request would send to a forbidden host, or in its authority, which every
   * resolver on the way reads; undefined if there is none.
   */
  misplaced(request: SearchedRequest): string | undefined {
    const { url } = request;
    if (!isInRequest(this.#any, request)) return undefined;
    const authority = authorityOf(url);
    for (const name of this.#values.keys()) {
      const search = this.#searchOf(name);
      if (search.holds(authority) || (!this.#hosts.allows(name, url) && isInRequest(search, request))) return name;
    }
    return undefined;
  }

  #searchOf(name: string): SecretSearch {
    let search = this.#each.get(name);
    if (search === undefined)
      this.#each.set(name, (search = new SecretSearch(this.#values.get(name) ?? [], this.#any)));
    return search;
  }
}

function isInRequest(search: SecretSearch, { url, headers, body }: SearchedRequest): boolean {
  if (search.holds(url)) return true;
  for (const name in headers) if (search.holds(headers[name] as string)) return true;
  return body !== undefined && search.holds(body);
}

function authorityOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const length = url.slice(begin).search(/[/?#\\]/);
  return url.slice(begin, length < 0 ? undefined : begin + length);
}
