import { shownTemplate } from '../../../core/request/url.ts';
import { hostOf } from '../host-label.ts';

/** The rules about the destinations of secrets. */
export interface Bindings {
  /**
   * Whether a secret may go to the host of a URL, which may come from data (payload, labels, answers, callbacks);
   * absent: every secret may go everywhere.
   */
  mayGoTo?(secret: string, url: string, hostFromData: boolean): boolean;
  /**
   * The name of a secret whose value the request carries to a forbidden destination, regardless of the value's origin;
   * absent: the values are not checked.
   */
  misplaced?(request: SearchedRequest): string | undefined;
}

interface SearchedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The destination of a secret. */
export interface Destination {
  readonly url: string;
  /** Whether its host comes from data. */
  readonly hostFromData: boolean;
  /** The URL template from the definition. */
  readonly template: string;
}

/** The reason why a call can never be sent: a sentence, and another one for logs if the first contains data. */
export interface CallProblem {
  readonly problem: string;
  readonly logged?: string;
}

/**
 * The reason why a request with these secrets may not go to the destination; undefined if it may. The sentence names the
 * first refused secret, after `kind`. `mask` removes secrets from the sentence, because the host may contain one.
 */
export function refusedSecret(
  names: readonly string[],
  destination: Destination,
  bindings: Bindings,
  mask: (text: string) => string,
  kind: string = 'The secret',
): CallProblem | undefined {
  const { url, hostFromData } = destination;
  for (const name of names) {
    if (bindings.mayGoTo?.(name, url, hostFromData) === false) return refusal(`${kind} ${name}`, destination, mask);
  }
  return undefined;
}

/** As {@link refusedSecret}, for secrets that the request contains without a template that names them, such as an echoed one. */
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
