/**
 * Finds the values of secrets that are bound to hosts in requests to other hosts. A downstream may echo a secret that it was
 * sent rightly; a template that reads the echo would carry it anywhere, without naming the secret.
 *
 * Costs nothing while no secret is bound. Else each request is searched once for all values together, which takes time by its
 * length; only a request that holds one is looked at for each secret.
 */
import { valueFinder } from './masking.ts';
import type { SecretHosts } from './secret-hosts.ts';

/** What is searched: the request as it would leave, but for what the engine itself adds. */
export interface SearchedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** See the file header. Made anew when a value changes. */
export class BoundValues {
  readonly #hosts: SecretHosts;
  readonly #any: (text: string) => boolean;
  readonly #values: ReadonlyMap<string, readonly string[]>;
  /** By name; made when a request holds one of the values, which most never do. */
  readonly #each = new Map<string, (text: string) => boolean>();

  /** `values` has the values of each bound secret, earlier ones included. */
  constructor(hosts: SecretHosts, values: ReadonlyMap<string, readonly string[]>) {
    this.#hosts = hosts;
    this.#any = valueFinder([...values.values()].flat());
    this.#values = values;
  }

  /**
   * The name of a secret whose value the request would carry to a host where the secret may not go, or in its authority, which
   * every resolver on the way reads; undefined when there is none.
   */
  misplaced(request: SearchedRequest): string | undefined {
    const { url } = request;
    if (!isInRequest(this.#any, request)) return undefined;
    const authority = authorityOf(url);
    for (const name of this.#values.keys()) {
      const isIn = this.#finderOf(name);
      if (isIn(authority) || (!this.#hosts.allows(name, url) && isInRequest(isIn, request))) return name;
    }
    return undefined;
  }

  #finderOf(name: string): (text: string) => boolean {
    let finder = this.#each.get(name);
    if (finder === undefined) this.#each.set(name, (finder = valueFinder(this.#values.get(name) ?? [])));
    return finder;
  }
}

function isInRequest(isIn: (text: string) => boolean, { url, headers, body }: SearchedRequest): boolean {
  if (isIn(url)) return true;
  for (const name in headers) if (isIn(headers[name] as string)) return true;
  return body !== undefined && isIn(body);
}

function authorityOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const length = url.slice(begin).search(/[/?#\\]/);
  return url.slice(begin, length < 0 ? undefined : begin + length);
}
