/** Renders requests: what is sent, or why nothing can be. */
import type { RenderContext } from '../context/context.ts';
import { stringifyJson } from '../value/json.ts';
import { isJson, notJson } from '../value/json-fault.ts';
import { type Meter, readCharsPerStep } from '../meter.ts';
import { RenderFault, type RenderLimits, Run, type RunOptions } from '../template/run.ts';
import type { RequestPlan, Verb } from './request.ts';
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

/**
 * Renders a request; its bounds hold over URL, headers and body together, and end it at the first byte too many. `meter` is
 * told what it cost, also where there is none. Throws nothing but what the context throws.
 */
export function renderRequest(
  plan: RequestPlan,
  context: RenderContext,
  limits: RenderLimits = plan.limits,
  meter?: Meter,
): RenderedRequest | UnsentRequest {
  const run = new Run(context, limits, ofRequest);
  try {
    return rendered(plan, run);
  } catch (error) {
    if (error instanceof RenderFault) return { kind: 'unsent', reason: error.message };
    throw error;
  } finally {
    meter?.charge(run.spent, run.bytes);
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
  limits: RenderLimits = plan.limits,
  meter?: Meter,
): string {
  if (!plan.volatile) return requestText(plan.verb, rendered.url, rendered.body);
  const run = new Run(context, limits, ofStableRequest);
  try {
    plan.url.write(run);
    const url = run.take();
    plan.body?.template.write(run);
    return requestText(plan.verb, url, plan.body === undefined ? undefined : run.take());
  } catch (error) {
    // Only the limits can differ: what is held constant may be longer than what it stands for, by a few characters.
    if (error instanceof RenderFault) return requestText(plan.verb, rendered.url, rendered.body);
    throw error;
  } finally {
    meter?.charge(run.spent, run.bytes);
  }
}

function requestText(verb: Verb, url: string, body: string | undefined): string {
  return stringifyJson([verb, url, body ?? null]);
}

const ofRequest: RunOptions = {
  stable: false,
  tooLarge: (maxBytes) => `The rendered request is larger than ${String(maxBytes)} bytes.`,
};

const ofStableRequest: RunOptions = { ...ofRequest, stable: true };

function rendered(plan: RequestPlan, run: Run): RenderedRequest | UnsentRequest {
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
  for (const { name, template, bytes, constant } of plan.headers) {
    run.count(bytes);
    let value = constant;
    if (value === undefined) {
      template.write(run);
      value = run.take();
    }
    headers[name] = value;
  }
  let body: string | undefined;
  if (plan.body !== undefined) {
    plan.body.template.write(run);
    body = run.take();
    if (plan.body.json) {
      if (!plan.hasContentType) headers['Content-Type'] = 'application/json';
    } else {
      const isJsonText = checkedText(plan, plan.body.mustBeJson, body, run);
      if (!plan.hasContentType) headers['Content-Type'] = isJsonText ? 'application/json' : 'text/plain';
    }
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

/**
 * Whether a body given as a string is sent as JSON. What is sent as JSON must be JSON: a hole or a comma too many
 * would else be the receiver's to find.
 */
function checkedText(plan: RequestPlan, mustBeJson: boolean, body: string, run: Run): boolean {
  const begins = beginsAsJson(body);
  // Without a Content-Type the beginning decides, as where a section has left out all that looked like JSON.
  if (plan.hasContentType ? !mustBeJson : !begins) return false;
  run.spend(body.length / readCharsPerStep);
  if (isJson(body)) return true;
  // Only values make it look like JSON: it is text, like `[note] hello`.
  if (!mustBeJson) return false;
  throw new RenderFault(notJson('The rendered body', body));
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
