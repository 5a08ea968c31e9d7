import type { RenderContext } from '../context/context.ts';
import type { Meter } from '../meter.ts';
import { type Json, parseJson } from '../value/json.ts';
import { defaultRenderLimits, ofTemplate, RenderFault, type RenderLimits, Run } from './run.ts';
import type { Rendered, Template } from './template.ts';

/** A compiled value: JSON whose strings are templates, with `$logic` and `$literal`. Immutable. */
export interface ValuePlan {
  readonly template: Template;
}

/** A compiled text: a template, or a value that must be a text. Immutable. */
export interface TextPlan {
  readonly template: Template;
  /** Whether the template renders JSON. */
  readonly isValue: boolean;
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

/**
 * Evaluates a value for a comparison with that of an earlier round: `now`, `uuid` and whatever else differs between rounds
 * are constants. Undefined if that fails. Charges `meter` in any case. Throws only errors of the context.
 */
export function evaluateStable({ template }: ValuePlan, context: RenderContext, meter: Meter): Json | undefined {
  const run = new Run(context, defaultRenderLimits, { ...ofTemplate, stable: true });
  try {
    template.write(run);
    return parseJson(run.take());
  } catch (error) {
    if (error instanceof RenderFault) return undefined;
    throw error;
  } finally {
    meter.charge(run.spent, run.bytes);
  }
}

/** Renders a text. Charges `meter`, also if it fails. Throws only errors of the context. */
export function renderText({ template, isValue }: TextPlan, context: RenderContext, meter: Meter): Rendered {
  const rendered = template.render(context, undefined, meter);
  if (!rendered.ok || !isValue) return rendered;
  const value = parseJson(rendered.text);
  return typeof value === 'string'
    ? { ok: true, text: value }
    : { ok: false, error: `The value is no text, but ${rendered.text.slice(0, maxShown)}.` };
}

/** Maximum number of characters of a wrong value in an error. */
const maxShown = 100;
