/** Where secrets may go. */
import { shownTemplate } from '../../../core/request/url.ts';
import { hostOf } from '../host-label.ts';

/** What says so. */
export interface Bindings {
  /**
   * Whether a secret may go to the host of a URL, which may come from data (payload, labels, answers, callbacks); absent means that
   * every one may go everywhere.
   */
  mayGoTo?(secret: string, url: string, hostFromData: boolean): boolean;
  /**
   * The name of a secret whose value the request would carry to a place where the secret may not go, whatever wrote it there; absent
   * means that this is not looked for.
   */
  misplaced?(request: SearchedRequest): string | undefined;
}

interface SearchedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A URL that a secret is to go to. */
export interface Destination {
  readonly url: string;
  /** Whether its host comes from data. */
  readonly hostFromData: boolean;
  /** The URL as the definition writes it. */
  readonly template: string;
}

/** Why a call cannot be sent, which waiting does not change: a sentence, and the one for logs where it tells of data. */
export interface CallProblem {
  readonly problem: string;
  readonly logged?: string;
}

/**
 * Why a request with these secrets may not go there; names the first of them, or what `kind` makes of it. Undefined when it may.
 * `mask` keeps secrets out of the sentence: one may be a part of the host.
 */
export function refusedSecret(
  names: readonly string[],
  destination: Destination,
  bindings: Bindings,
  mask: (text: string) => string,
  kind: string = 'The secret',
): CallProblem | undefined {
  const { url, hostFromData } = destination;
  const refused = names.find((name) => bindings.mayGoTo?.(name, url, hostFromData) === false);
  return refused === undefined ? undefined : refusal(`${kind} ${refused}`, destination, mask);
}

/** The same of what a request holds of secrets that its templates do not name: an answer may have echoed one. */
export function misplacedSecret(
  request: SearchedRequest,
  destination: Destination,
  bindings: Bindings,
  mask: (text: string) => string,
): CallProblem | undefined {
  const name = bindings.misplaced?.(request);
  return name === undefined ? undefined : refusal(`The request holds the secret ${name}, which`, destination, mask);
}

function refusal(
  what: string,
  { url, hostFromData, template }: Destination,
  mask: (text: string) => string,
): CallProblem {
  const host = hostOf(mask(url));
  if (!hostFromData) return { problem: `${what} may not go to ${host}: secrets.hosts does not name it.` };
  return {
    problem: `${what} may not go to ${host}, a host that comes from data: secrets.hosts does not name it.`,
    logged: `${what} may not go to the host of ${mask(shownTemplate(template))}, which comes from data: secrets.hosts does not name it.`,
  };
}
