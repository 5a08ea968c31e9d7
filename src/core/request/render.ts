import type { RenderContext } from '../context/context.ts';
import { isJson, notJson } from '../value/json-fault.ts';
import { type Meter, readCharsPerStep } from '../meter.ts';
import { RenderFault, type RenderLimits, Run, type RunOptions } from '../template/run.ts';
import type { RequestPlan, Verb } from './request.ts';
import { splitUrl } from './url.ts';

/** A rendered request, without the headers that the engine adds (idempotency key, trace context). */
export interface RenderedRequest {
  readonly kind: 'request';
  readonly url: string;
  readonly verb: Verb;
  /** Header names are spelled as in the definition. Contains a Content-Type if there is a body. */
  readonly headers: Record<string, string>;
  readonly body?: string;
  /** Whether the URL's host or port comes from the payload, labels, a response or a callback. */
  readonly authorityFromData: boolean;
  /** Names of the secrets that were read, without duplicates. */
  readonly secretsUsed: readonly string[];
}

/** A request that cannot be sent; `reason` is a sentence that names the template path or the part of the URL. */
export interface UnsentRequest {
  readonly kind: 'unsent';
  readonly reason: string;
  /** `reason` without rendered values, for logs; present if `reason` contains any. */
  readonly logged?: string;
}

/**
 * Renders a request. The limits apply to URL, headers and body together; rendering stops at the first byte beyond them.
 * `meter` is charged for the work, also if rendering fails. Throws only errors of the context.
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
 * Renders verb, URL and body as one text in which `runtime.*`, `round`, `attempt` and all idempotency keys are
 * constant, so that two calls with the same meaning give equal texts. `rendered` is the result of {@link renderRequest}
 * for the same plan and context; it is reused if the plan is not volatile.
 */
export function renderStable(
  plan: RequestPlan,
  context: RenderContext,
  rendered: RenderedRequest,
  limits: RenderLimits = plan.limits,
  meter?: Meter,
): string {
  if (!plan.volatile) return requestText(plan.verb, rendered.url, rendered.body);
  // Constants may be longer than the values they replace, and lead an expression to other work.
  const wide = { maxSteps: 2 * limits.maxSteps, maxBytes: 2 * limits.maxBytes };
  const run = new Run(context, wide, ofStableRequest);
  try {
    plan.url.write(run);
    const url = run.take();
    plan.body?.template.write(run);
    return requestText(plan.verb, url, plan.body === undefined ? undefined : run.take());
  } catch (error) {
    // Only the limits can fail here.
    if (error instanceof RenderFault) return requestText(plan.verb, rendered.url, rendered.body);
    throw error;
  } finally {
    meter?.charge(run.spent, run.bytes);
  }
}

/** Neither a verb nor a URL has line ends, so different requests give different texts. */
function requestText(verb: Verb, url: string, body: string | undefined): string {
  return body === undefined ? `${verb} ${url}` : `${verb} ${url}\n${body}`;
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
    // A URL without tags was checked when it was compiled.
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
 * Whether a body given as a string is sent as JSON. A body sent as JSON must be valid JSON; otherwise the receiver
 * would be the first to notice a missing value or an extra comma.
 */
function checkedText(plan: RequestPlan, mustBeJson: boolean, body: string, run: Run): boolean {
  const begins = beginsAsJson(body);
  // Without a Content-Type, the first character decides, for example if a section omitted everything that looked like
  // JSON.
  if (plan.hasContentType ? !mustBeJson : !begins) return false;
  run.spend(body.length / readCharsPerStep);
  if (isJson(body)) return true;
  // Only inserted values make it look like JSON, so it is text, like `[note] hello`.
  if (!mustBeJson) return false;
  throw new RenderFault(notJson('The rendered body', body));
}

/** Whether a text begins with a brace or bracket, ignoring leading white space. */
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
