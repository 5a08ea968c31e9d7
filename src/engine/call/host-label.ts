import { authorityEnd } from './gate/origin.ts';

/**
 * The common name of all hosts that come from data (payload, labels, answers, callbacks), because only readers of the
 * execution may see data, and the number of such hosts is unbounded. No real host can have this name.
 */
export const dataHostLabel = '(data)';

/** The name of the host of a masked URL in metrics, logs and traces. */
export function hostLabel(url: string, hostFromData: boolean): string {
  return hostFromData ? dataHostLabel : hostOf(url);
}

/** Host and port of an absolute URL, for people, without user info, which may contain a password. */
export function hostOf(url: string): string {
  const begin = url.indexOf('//') + 2;
  const authority = url.slice(begin, authorityEnd(url, begin));
  return authority.slice(authority.lastIndexOf('@') + 1).toLowerCase();
}
