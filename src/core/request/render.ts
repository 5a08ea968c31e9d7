/** Renders requests: what is sent, or why nothing can be. */
import type { RenderContext } from '../context.ts';
import { stringifyJson } from '../json.ts';
import { RenderFault, type RenderLimits, Run } from '../template/run.ts';
import type { RequestLimits, RequestPlan, Verb } from './request.ts';
import { splitUrl } from './url.ts';

/** A request as the definition has it; what the engine adds (keys, trace) is not in it. */
export interface RenderedRequest {
  readonly kind: 'request';
  readonly url: string;
  readonly verb: Verb;
  /** With a Content-Type whenever there is a body. Names as the definition spells them. */
  readonly headers: Record<string, string>;
  readonly body?: string;
  /** Whether the URL's host or port comes from payload, labels, an answer or a callback. */
  readonly authorityFromData: boolean;
  /** Names of the secrets that were read, each once. */
  readonly secretsUsed: readonly string[];
}

/** Nothing can be sent; `reason` is a sentence that names the template path or the part of the URL. */
export interface UnsentRequest {
  readonly kind: 'unsent';
  readonly reason: string;
  /** The same without anything that was rendered, where `reason` has it. */
  readonly logged?: string;
}

/** Renders a request. Throws nothing but what the context throws. */
export function renderRequest(
  plan: RequestPlan,
  context: RenderContext,
  limits: RequestLimits = plan.limits,
): RenderedRequest | UnsentRequest {
  const run = new Run(context, renderLimits(limits), false);
  try {
    return rendered(plan, run, limits);
  } catch (error) {
    if (error instanceof RenderFault) return { kind: 'unsent', reason: error.message };
    throw error;
  }
}

/**
 * Verb, URL and body as one text, with `runtime.*`, `round`, `attempt` and all idempotency keys held constant: equal for
 * two calls that ask for the same. `rendered` is what {@link renderRequest} gave for the same plan and context; a plan that
 * is not volatile is not rendered again.
 */
export function renderStable(
  plan: RequestPlan,
  context: RenderContext,
  rendered: RenderedRequest,
  limits: RequestLimits = plan.limits,
): string {
  if (!plan.volatile) return requestText(plan.verb, rendered.url, rendered.body);
  const run = new Run(context, renderLimits(limits), true);
  try {
    plan.url.write(run);
    const url = run.take();
    plan.body?.template.write(run);
    return requestText(plan.verb, url, plan.body === undefined ? undefined : run.take());
  } catch (error) {
    // Only the limits can differ: what is held constant may be longer than what it stands for, by a few characters.
    if (error instanceof RenderFault) return requestText(plan.verb, rendered.url, rendered.body);
    throw error;
  }
}

function requestText(verb: Verb, url: string, body: string | undefined): string {
  return stringifyJson([verb, url, body ?? null]);
}

function renderLimits(limits: RequestLimits): RenderLimits {
  // A byte holds at most one code unit.
  return { maxSteps: limits.maxSteps, maxChars: limits.maxBytes };
}

function rendered(plan: RequestPlan, run: Run, limits: RequestLimits): RenderedRequest | UnsentRequest {
  plan.url.write(run);
  const url = run.take();
  if (!plan.url.constant) {
    // One without tags was looked at when it was compiled.
    const parts = splitUrl(url);
    if ('error' in parts) {
      const { error, logged } = parts;
      return { kind: 'unsent', reason: error, ...(logged === undefined ? undefined : { logged }) };
    }
  }
  const headers: Record<string, string> = {};
  let bytes = utf8Length(url);
  for (const { name, template, constant } of plan.headers) {
    let value = constant;
    if (value === undefined) {
      template.write(run);
      value = run.take();
    }
    headers[name] = value;
    bytes += name.length + value.length + 4;
  }
  let body: string | undefined;
  if (plan.body !== undefined) {
    plan.body.template.write(run);
    body = run.take();
    bytes += utf8Length(body);
    if (!plan.hasContentType) {
      headers['Content-Type'] = plan.body.json || beginsAsJson(body) ? 'application/json' : 'text/plain';
    }
  }
  if (bytes > limits.maxBytes) {
    return { kind: 'unsent', reason: `The rendered request is larger than ${String(limits.maxBytes)} bytes.` };
  }
  return {
    kind: 'request',
    url,
    verb: plan.verb,
    headers,
    ...(body === undefined ? undefined : { body }),
    authorityFromData: plan.authorityFromData || run.authorityFromData,
    secretsUsed: run.secrets,
  };
}

/** Whether a text begins with a brace or bracket, blanks aside. */
function beginsAsJson(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        break;
      default:
        return text[i] === '{' || text[i] === '[';
    }
  }
  return false;
}

/** Bytes of a text as UTF-8. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    // Each half of a surrogate pair is two of the four bytes of its character.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
