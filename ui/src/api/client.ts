import { type Json, parseJson, stringifyJson } from '../../../src/core/value/json.ts';
import { apiAddress, type Parameters } from '../platform/address.ts';
import { learnClock, serverNow } from '../platform/clock.ts';
import { objectOf, textAt } from './reading.ts';
import { apiKey, connection, needsSignIn } from './session.ts';

/** A request to the API. */
export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly parameters?: Parameters;
  /** Sent as JSON, digit by digit. */
  readonly body?: Json;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without an answer after which the request counts as failed. */
  readonly timeoutMillis?: number;
}

/** An answer of the API. Numbers keep their digits. */
export interface Answer {
  readonly status: number;
  readonly json: Json;
  readonly headers: Headers;
}

const defaultTimeoutMillis = 20_000;

/** Answers of a server that is in trouble rather than the request. */
const unavailable: ReadonlySet<number> = new Set([502, 503, 504]);

/** A request that did not succeed. `status` is 0 if no answer came. */
export class ApiFailure extends Error {
  readonly status: number;
  /** The code of the error registry; empty without one. */
  readonly code: string;
  readonly sentences: readonly string[];
  readonly retryAfterMillis: number | undefined;

  constructor(status: number, code: string, sentences: readonly string[], retryAfterMillis?: number) {
    super(sentences[0] ?? `The server answered ${String(status)}.`);
    this.name = 'ApiFailure';
    this.status = status;
    this.code = code;
    this.sentences = sentences;
    this.retryAfterMillis = retryAfterMillis;
  }

  /** Whether the server does not know the route itself, as a pod of an older version. */
  get isMissingRoute(): boolean {
    return this.status === 404 && this.code === 'unknown_route';
  }
}

/**
 * Asks the API and parses the answer with the core's parser, which keeps the digits of numbers.
 *
 * @throws ApiFailure if no answer comes, if it is an error, or if it is no JSON.
 */
export async function ask(path: string, request: Ask = {}): Promise<Answer> {
  const response = await send(path, request);
  const text = await response.text();
  if (unavailable.has(response.status)) lost();
  else connection.set({ asOf: serverNow() });
  if (!response.ok && response.status !== 304) throw failureOf(response, text);
  return { status: response.status, json: text === '' ? null : parsed(text), headers: response.headers };
}

async function send(path: string, request: Ask): Promise<Response> {
  const { method = 'GET', parameters, body, headers, signal, timeoutMillis = defaultTimeoutMillis } = request;
  const key = apiKey.get();
  const timeout = AbortSignal.timeout(timeoutMillis);
  try {
    const response = await fetch(apiAddress(path, parameters), {
      method,
      headers: {
        accept: 'application/json',
        ...(key !== undefined && { 'x-api-key': key }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      ...(body !== undefined && { body: stringifyJson(body) }),
    });
    learnClock(response.headers.get('date'));
    if (response.status === 401) needsSignIn.set(true);
    return response;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    lost();
    throw new ApiFailure(0, 'no_answer', ['The server did not answer.']);
  }
}

function lost(): void {
  const { lostSince = serverNow(), asOf } = connection.get();
  connection.set({ ...(asOf !== undefined && { asOf }), lostSince });
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    throw new ApiFailure(0, 'no_json', ['The answer is not JSON. A proxy in between may have answered.']);
  }
}

function failureOf(response: Response, text: string): ApiFailure {
  let json: Json = null;
  try {
    json = parseJson(text);
  } catch {
    // A proxy answers with a page of its own; its status says enough.
  }
  const document = objectOf(json);
  const errors = document['errors'];
  const sentences = Array.isArray(errors) ? errors.filter((each): each is string => typeof each === 'string') : [];
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ApiFailure(
    response.status,
    textAt(document, 'code') ?? '',
    sentences,
    Number.isFinite(seconds) ? seconds * 1000 : undefined,
  );
}
