import { isJsonObject, ownProperty, parseJson, stringifyJson, type Json, type JsonObject } from '../core/value/json.ts';
import { CliProblem, exitCodes, type Terminal } from './terminal.ts';

/** Longest time of one request; waiting requests answer within a minute. */
const requestTimeoutMillis = 90_000;

/** The server refused a request; the message has its own sentences. */
export class ApiRefusal extends CliProblem {
  /** The HTTP status. */
  readonly status: number;

  constructor(sentences: readonly string[], status: number) {
    super(sentences, status < 500 ? exitCodes.found : exitCodes.wrong);
    this.status = status;
  }
}

/** A small client of Trama's HTTP API, for the commands that talk to a server. */
export interface ApiClient {
  /**
   * Sends a request and returns the body of a 2xx answer.
   *
   * @throws CliProblem with the server's sentences on any other answer, or when the server cannot be reached.
   */
  ask(method: string, path: string, body?: Json): Promise<Json>;
}

/** A client that also reads long lists. */
export interface PagingClient extends ApiClient {
  /** Reads a page of a list, with the cursor of the next one. Throws as `ask` does. */
  page(path: string): Promise<{ readonly answer: Json; readonly cursor?: string }>;
}

/** The URL of the server: `--url`, else `TRAMA_URL`; undefined when neither is given. */
export function serverUrl(option: string | undefined, terminal: Terminal): string | undefined {
  const url = option ?? (terminal.env['TRAMA_URL'] || undefined);
  if (url === undefined) return undefined;
  return checkedUrl(url, option === undefined ? 'TRAMA_URL' : '--url');
}

/**
 * The URL of a server without a trailing slash. `name` says where it was given.
 *
 * @throws CliProblem when the text is no URL, or contains user info.
 */
export function checkedUrl(url: string, name: string): string {
  // With a scheme or, by mistake, without one.
  if (/^(?:[^/?#]*\/\/)?[^/?#]*@/.test(url)) {
    throw new CliProblem(`${name} must contain no user info; use --api-key or TRAMA_API_KEY.`);
  }
  if (!/^https?:\/\/[^/\s]/.test(url)) throw new CliProblem(`${name} must be an http or https URL, not ${url}.`);
  return url.replace(/\/+$/, '');
}

/** The API key or token for the server: `--api-key`, else `TRAMA_API_KEY`; undefined when neither is given. */
export function credentialOf(option: string | undefined, terminal: Terminal): string | undefined {
  return checkedCredential(option, '--api-key', terminal, 'TRAMA_API_KEY');
}

/**
 * The API key or token of an option, else of an environment variable; undefined when neither is given.
 *
 * @throws CliProblem when the text cannot be one.
 */
export function checkedCredential(
  value: string | undefined,
  option: string,
  terminal: Terminal,
  variable: string,
): string | undefined {
  const credential = value ?? (terminal.env[variable] || undefined);
  if (credential === undefined || /^[\x21-\x7e]+$/.test(credential)) return credential;
  throw new CliProblem(`${value === undefined ? variable : option} must be an API key or a token.`);
}

/**
 * A client of the server at this URL, with an API key or a token if given. `advice` is for a server that cannot be
 * reached.
 */
export function createApiClient(url: string, credential?: string, advice: readonly string[] = []): PagingClient {
  const send = async (
    method: string,
    path: string,
    body?: Json,
  ): Promise<{ readonly answer: Json; readonly headers: Headers }> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}${path}`, {
        method,
        signal: AbortSignal.timeout(requestTimeoutMillis),
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
        },
        ...(body !== undefined && { body: stringifyJson(body) }),
      });
      text = await response.text();
    } catch (error) {
      throw new CliProblem([`${url} cannot be reached: ${reasonOf(error)}.`, ...advice]);
    }
    const answer = parseAnswer(text);
    if (response.ok && answer !== undefined) return { answer, headers: response.headers };
    const problems = answer === undefined ? [] : sentencesOf(answer);
    if (problems.length === 0) throw new CliProblem(`${url} answered ${response.status} and is probably not Trama.`);
    throw new ApiRefusal(problems, response.status);
  };
  return {
    ask: async (method, path, body) => (await send(method, path, body)).answer,
    page: async (path) => {
      const { answer, headers } = await send('GET', path);
      const cursor = headers.get('x-next-cursor');
      return cursor === null ? { answer } : { answer, cursor };
    },
  };
}

/** Reads a list, `path` without a query, to its end or to `max` rows: a page may be shorter than its limit. */
export async function readRows(
  api: Pick<PagingClient, 'page'>,
  path: string,
  max: number,
): Promise<readonly JsonObject[]> {
  const rows: JsonObject[] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(max - rows.length) });
    if (cursor !== undefined) query.set('cursor', cursor);
    const page = await api.page(`${path}?${query.toString()}`);
    if (!Array.isArray(page.answer)) break;
    rows.push(...page.answer.filter(isJsonObject));
    ({ cursor } = page);
  } while (cursor !== undefined && rows.length < max);
  return rows;
}

function parseAnswer(text: string): Json | undefined {
  if (text === '') return null;
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function sentencesOf(answer: Json): readonly string[] {
  const errors = isJsonObject(answer) ? ownProperty(answer, 'errors') : undefined;
  return Array.isArray(errors) ? errors.filter((error): error is string => typeof error === 'string') : [];
}

/** `fetch` hides the reason in the cause, and the reasons of several addresses in an aggregate. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof AggregateError) return reasonOf(error.cause.errors[0]);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * Expects an answer to be an object.
 *
 * @throws CliProblem when it is not.
 */
export function asObject(answer: Json): JsonObject {
  if (isJsonObject(answer)) return answer;
  throw new CliProblem('The server gave an answer that this version does not understand.');
}

/** A string field of an answer, or undefined. */
export function textField(object: JsonObject, name: string): string | undefined {
  const value = ownProperty(object, name);
  return typeof value === 'string' ? value : undefined;
}
