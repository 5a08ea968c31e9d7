import type { RenderContext } from '../context/context.ts';
import type { Meter } from '../meter.ts';
import { type Json, parseJson } from '../value/json.ts';
import type { RenderLimits } from './run.ts';
import type { Template } from './template.ts';

/** A compiled value: JSON whose strings are templates, with `$logic` and `$literal`. Immutable. */
export interface ValuePlan {
  readonly template: Template;
}

/** The result of an evaluation: the value, or an error sentence. */
export type Evaluated = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly error: string };

/** Evaluates a value; numbers keep their digits. Charges `meter`, also if it fails. Throws only errors of the context. */
export function evaluateValue(
  { template }: ValuePlan,
  context: RenderContext,
  meter: Meter,
  limits?: RenderLimits,
): Evaluated {
  const rendered = template.render(context, limits, meter);
  return rendered.ok ? { ok: true, value: parseJson(rendered.text) } : rendered;
}
