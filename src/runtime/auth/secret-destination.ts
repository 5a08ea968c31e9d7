/** Where secrets may go. */

/** What says so. */
interface Bindings {
  /** Whether a secret may go to the host of a URL; absent means that every one may go everywhere. */
  mayGoTo?(secret: string, url: string): boolean;
}

/**
 * Why a request with these secrets may not go to this URL, as a sentence that names the first of them; undefined when it
 * may. `mask` keeps secrets out of the sentence: one may be a part of the host.
 */
export function refusedSecret(
  names: readonly string[],
  url: string,
  bindings: Bindings,
  mask: (text: string) => string,
): string | undefined {
  const refused = names.find((name) => bindings.mayGoTo?.(name, url) === false);
  return refused === undefined ? undefined : `The secret ${refused} may not go to ${hostOf(mask(url))}.`;
}

/** Host and port of an absolute URL, for people and metrics: never what stands before them, which may be a password. */
export function hostOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const end = url.slice(begin).search(/[/\\?#]/);
  const authority = url.slice(begin, end < 0 ? undefined : begin + end);
  return authority.slice(authority.lastIndexOf('@') + 1).toLowerCase();
}
