import { compileExpression, type Expression } from '../expression/expression.ts';
import { isJsonObject, type Json, type JsonObject } from '../value/json.ts';
import type { AuthPlan, CallPlan } from '../plan.ts';
import { compileRequest, type RequestPlan } from '../request/request.ts';
import { splitUrl } from '../request/url.ts';
import { compileTemplate, computedPath, type Template, type TemplateOptions } from '../template/template.ts';
import type { TemplatePath } from '../template/path.ts';
import { templateText } from '../template/template-text.ts';
import { mutatingVerbs } from './warnings/call-warnings.ts';
import { callBook, callShape } from './shape/call-shape.ts';
import type { Compiling, Moment } from './compiling.ts';
import type { Place } from './node-draft.ts';
import { warnOfTagsInBody, warnOfTagsInCondition } from './warnings/no-effect.ts';
import { at, type Path, type Problems } from './problems.ts';
import { fits, present, toNumber } from './shape/shape-check.ts';

/** The action around a task's request. Its status codes take precedence over those of the request. */
export interface ActionCodes {
  readonly json?: JsonObject;
  readonly mode?: 'sync' | 'async';
}

/** Status codes after which it is unknown whether a call took effect. */
const defaultUnknownCodes: readonly number[] = [408, 502, 504, 520, 521, 522, 523, 524, 598, 599];

/**
 * Compiles a call and records what it reads. In a call with a broken structure, the valid parts are still checked, so
 * that all problems are reported at once.
 *
 * @returns undefined if the structure or a template is invalid.
 */
export function compileCall(
  place: Place,
  moment: Moment,
  action: ActionCodes,
  compiling: Compiling,
): CallPlan | undefined {
  const { json, path } = place;
  if (!isJsonObject(json)) return undefined;
  const { problems } = compiling;
  const whole = fits(callShape, json, callBook);
  const call = whole ? withoutNulls(json) : mend(json);
  // Authentication refers to secrets by name and contains no templates.
  const { auth, ...request } = call;
  const allow = {
    callback: action.mode === 'async',
    failure: moment.kind === 'onFailure',
    hook: moment.kind === 'onFailure' || moment.kind === 'onSuccess',
  };
  const compiled = compileRequest(request, optionsOf(compiling, allow));
  if ('errors' in compiled) {
    for (const problem of compiled.errors) problems.error(within(path, problem.path), problem.message);
    return undefined;
  }
  for (const problem of compiled.warnings) problems.warn(within(path, problem.path), problem.message);
  for (const part of compiled.request.parts) {
    addReads(part.template.paths, within(path, part.path), moment, compiling);
    compiling.needs.format = Math.max(compiling.needs.format, part.template.format);
    compiling.needs.values += part.template.expressions;
  }
  const body = present(request, 'body');
  if (body !== undefined) warnOfTagsInBody(body, at(path, 'body'), problems);
  warnOfLiteralAuthorization(compiled.request, path, problems);
  if (!whole) return undefined;
  checkAuth(auth as JsonObject | undefined, compiled.request, path, problems);
  if (compiled.request.authorityFromData && (compiled.request.usesSecrets || auth !== undefined)) {
    const sentence =
      'The host comes from data: the secrets of this call, and tokens fetched with them, go only to hosts that secrets.hosts names for them.';
    problems.warn(`${path}.url`, sentence);
  }

  const own = action.json ?? {};
  const ownSuccess =
    (action.mode === 'async' ? codes(own, 'acceptedStatusCodes') : undefined) ?? codes(own, 'successStatusCodes');
  const success = ownSuccess ?? codes(call, 'successStatusCodes');
  const ownUnknown = codes(own, 'unknownStatusCodes');
  const unknown = ownUnknown ?? codes(call, 'unknownStatusCodes');
  const both = [...(unknown ?? [])].filter((code) => success?.has(code) ?? (code >= 200 && code <= 299));
  if (both.length > 0) {
    const holder = ownUnknown === undefined ? path : path.replace(/\.request$/, '');
    const sentence = `${both.join(', ')} counts as success, so that naming it here has no effect.`;
    problems.warn(at(holder, 'unknownStatusCodes'), sentence);
  }
  const timeoutMillis = toNumber(present(call, 'timeoutMillis'));
  if (timeoutMillis !== undefined && timeoutMillis > compiling.maxTimeoutMillis) {
    const [given, most] = [String(timeoutMillis), String(compiling.maxTimeoutMillis)];
    problems.error(
      at(path, 'timeoutMillis'),
      `A call takes at most ${most} ms (http.maxTimeoutMillis), not ${given}; what takes longer is an async task, whose callback may come much later.`,
    );
  }
  return {
    request: compiled.request,
    ...(success === undefined ? {} : { success }),
    unknown: unknown ?? new Set(defaultUnknownCodes),
    codesFrom: {
      success: success === undefined ? 'default' : ownSuccess === undefined ? 'request' : 'action',
      unknown: unknown === undefined ? 'default' : ownUnknown === undefined ? 'request' : 'action',
    },
    ...(timeoutMillis === undefined ? {} : { timeoutMillis }),
    mutating: mutatingVerbs.has(compiled.request.verb),
    ...(auth === undefined ? {} : { auth: withoutNulls(auth as JsonObject) as unknown as AuthPlan }),
  };
}

/** Compiles a template that is not part of a call. */
export function compileText(
  place: { readonly json: Json | undefined; readonly path: Path },
  moment: Moment,
  compiling: Compiling,
): Template | undefined {
  const source = place.json === undefined ? undefined : templateText(place.json);
  if (source === undefined) return undefined;
  const allow = { callback: false, failure: false, secrets: false };
  const compiled = compileTemplate(source, optionsOf(compiling, allow));
  if ('errors' in compiled) {
    for (const error of compiled.errors) compiling.problems.error(place.path, error);
    return undefined;
  }
  addReads(compiled.template.paths, place.path, moment, compiling);
  return compiled.template;
}

/** Compiles a condition of a node. `onCallback` is true for a condition that evaluates a callback. */
export function compileCondition(
  place: Place,
  nodeId: string,
  onCallback: boolean,
  compiling: Compiling,
): Expression | undefined {
  const { nodeIds, loops, limits, hints } = compiling;
  const allow = { callback: onCallback };
  const compiled = compileExpression(place.json, { nodeIds, loops, allow, maxSteps: limits.maxSteps, hints });
  if ('errors' in compiled) {
    for (const error of compiled.errors) compiling.problems.error(place.path, error);
    return undefined;
  }
  warnOfTagsInCondition(place.json, place.path, compiling.problems);
  compiling.needs.format = Math.max(compiling.needs.format, compiled.expression.format);
  const { paths, anyNode } = compiled.expression.reads;
  const hidden = anyNode && !paths.some((path) => path.anyNode);
  addReads(hidden ? [...paths, computedPath] : paths, place.path, { kind: 'condition', nodeId }, compiling);
  return compiled.expression;
}

/** What a template at the present place may contain. */
export function optionsOf(
  { nodeIds, loops, limits, hints }: Compiling,
  allow: TemplateOptions['allow'],
): TemplateOptions {
  return { nodeIds, loops, limits, allow, hints };
}

/** Records what a part of the definition reads. */
export function addReads(paths: readonly TemplatePath[], place: Path, moment: Moment, compiling: Compiling): void {
  for (const path of paths) compiling.reads.push({ place, moment, path });
}

/** Converts a problem path relative to the call into a path of the definition. */
function within(path: Path, relative: string): Path {
  const headers = '.headers.';
  return relative.startsWith(headers) ? at(at(path, 'headers'), relative.slice(headers.length)) : `${path}${relative}`;
}

function warnOfLiteralAuthorization(request: RequestPlan, path: Path, problems: Problems): void {
  for (const { name, template } of request.headers) {
    if (name.toLowerCase() !== 'authorization' || !template.constant) continue;
    const sentence = 'Everybody who may read the definition can read this value; use auth or {{secrets.<NAME>}}.';
    problems.warn(at(at(path, 'headers'), name), sentence);
  }
}

/** Expects `auth` to have passed the shape check. */
function checkAuth(auth: JsonObject | undefined, request: RequestPlan, path: Path, problems: Problems): void {
  if (auth === undefined) return;
  const { tokenUrl } = auth;
  const place = at(path, 'auth');
  for (const [key, value] of Object.entries(auth)) {
    if (key.endsWith('Secret') || key === 'secret') {
      const sentence = 'This is the name of a secret, not a template; write the name alone.';
      if (typeof value === 'string' && value.includes('{{')) problems.error(at(place, key), sentence);
    }
  }
  if (typeof tokenUrl === 'string') {
    const parts = splitUrl(tokenUrl);
    if (tokenUrl.includes('{{')) problems.error(at(place, 'tokenUrl'), 'This is a plain URL, not a template.');
    else if ('error' in parts) problems.error(at(place, 'tokenUrl'), parts.error);
  }
  if (request.headers.some(({ name }) => name.toLowerCase() === 'authorization')) {
    problems.warn(place, 'It is not applied: the Authorization header of the call wins.');
  }
}

function codes(json: JsonObject, key: string): ReadonlySet<number> | undefined {
  const list = present(json, key);
  return Array.isArray(list) ? new Set((list as readonly Json[]).flatMap((code) => toNumber(code) ?? [])) : undefined;
}

/** Removes fields and headers whose value is null, since null equals absence. */
function withoutNulls(call: JsonObject): JsonObject {
  const clean = (object: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
  const { headers } = call;
  return { ...clean(call), ...(isJsonObject(headers) ? { headers: clean(headers) } : {}) };
}

/** Keeps the valid parts of a broken call and replaces missing or invalid required fields with placeholders. */
function mend(call: JsonObject): JsonObject {
  const kept = Object.entries(callShape.fields).flatMap(([key, field]): [string, Json][] => {
    const value = present(call, key);
    if (value === undefined) return [];
    if (fits(field.shape, value, callBook)) return [[key, value]];
    if (key !== 'headers' || field.shape.type !== 'map' || !isJsonObject(value)) return [];
    const { of } = field.shape;
    return [[key, Object.fromEntries(Object.entries(value).filter(([, header]) => fits(of, header, callBook)))]];
  });
  return { url: 'http://localhost/', verb: 'POST', ...withoutNulls(Object.fromEntries(kept)) };
}
