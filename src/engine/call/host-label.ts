/** How metrics, logs and traces name the hosts of calls. */

/**
 * The name that all hosts share which come from data (payload, labels, answers, callbacks): what data says is for nobody but
 * those who may read the execution, and of such hosts there is no end. No real host is called so.
 */
export const dataHostLabel = '(data)';

/** How to name the host of a URL, which is masked. */
export function hostLabel(url: string, hostFromData: boolean): string {
  return hostFromData ? dataHostLabel : hostOf(url);
}

/** Host and port of an absolute URL, for people: never what stands before them, which may be a password. */
export function hostOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const end = url.slice(begin).search(/[/\\?#]/);
  const authority = url.slice(begin, end < 0 ? undefined : begin + end);
  return authority.slice(authority.lastIndexOf('@') + 1).toLowerCase();
}
