import { compileJsonTemplate } from '../template/json-template.ts';
import type { RenderLimits } from '../template/run.ts';
import { templateText } from '../template/template-text.ts';
import type { TextPlan, ValuePlan } from '../template/value.ts';
import type { Json } from '../value/json.ts';
import type { Compiling, Moment } from './compiling.ts';
import type { Path } from './problems.ts';
import { addReads, compileText, optionsOf } from './call-plan.ts';
import { warnOfTagsInBody } from './warnings/no-effect.ts';

/** What a value may be at its place. */
export interface ValueOptions {
  /** Whether a value that is a single `{{path}}` must lead somewhere when it is evaluated: missing is not null there. */
  readonly isRequired?: boolean;
  /** Bounds of its evaluation; by default those of templates. */
  readonly limits?: RenderLimits;
}

/**
 * Compiles a text that is a template or a value such as `{ "$logic": … }`, which must give a text. Returns undefined if it is absent
 * or invalid.
 */
export function compileTextOrValue(
  place: { readonly json: Json | undefined; readonly path: Path },
  moment: Moment,
  compiling: Compiling,
): TextPlan | undefined {
  const { json } = place;
  if (json === undefined) return undefined;
  const isValue = templateText(json) === undefined;
  const template = isValue ? compileValue(place, moment, compiling)?.template : compileText(place, moment, compiling);
  return template && { template, isValue };
}

/**
 * Compiles a value of a definition that is no body of a call: JSON whose strings are templates, with `$logic` and
 * `$literal`. It may not read secrets, since it is stored. Returns undefined if it is absent or invalid; problems are
 * reported with their places.
 */
export function compileValue(
  place: { readonly json: Json | undefined; readonly path: Path },
  moment: Moment,
  compiling: Compiling,
  { isRequired = false, limits = compiling.limits }: ValueOptions = {},
): ValuePlan | undefined {
  const { json, path } = place;
  if (json === undefined) return undefined;
  const { problems } = compiling;
  const options = optionsOf({ ...compiling, limits }, { callback: false, failure: false, secrets: false });
  const compiled = compileJsonTemplate(json, options, { isRequired, field: path.slice(path.lastIndexOf('.') + 1) });
  if ('errors' in compiled) {
    for (const problem of compiled.errors) problems.error(`${path}${problem.path}`, problem.message);
    return undefined;
  }
  const { template, constants } = compiled;
  for (const constant of constants) {
    problems.warn(`${path}${constant}`, 'This expression reads nothing, so that it always gives the same value.');
  }
  addReads(template.paths, path, moment, compiling);
  compiling.needs.format = 2;
  compiling.needs.values += template.expressions;
  warnOfTagsInBody(json, path, problems);
  return { template };
}
