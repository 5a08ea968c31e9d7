import { charsPerStep, readCharsPerStep } from '../../meter.ts';
import { isJsonObject, isRawNumber, type Json, numberText, parseJson, stringifyJson } from '../../value/json.ts';
import type { Budget } from '../budget.ts';
import { normalDigits } from '../decimal.ts';
import { textOf } from './texts.ts';
import { eager, type Method } from './method.ts';

/** Characters of a value beside its own texts, roughly: quotes, commas, brackets. */
const charsPerValue = 4;

/** Deepest nesting of a value that is written or compared: beyond it, what walks it could use up the stack. */
const maxNesting = 256;

/**
 * Charges a value as if it were written as JSON, before it is. An expression can build a value in which one list is held many
 * times, whose text is exponentially longer than the work that built it. Throws a sentence for a value that is nested too deep.
 */
export function chargeDocument(value: unknown, budget: Budget, depth: number = 0): void {
  if (depth > maxNesting) throw new Error(`A value of the expression is nested more than ${String(maxNesting)} deep.`);
  const size = charsPerValue + ownLength(value);
  budget.spend(1 / charsPerValue + size / charsPerStep);
  budget.build(size);
  if (Array.isArray(value)) for (const item of value as readonly unknown[]) chargeDocument(item, budget, depth + 1);
  else if (isJsonObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      budget.build(key.length);
      chargeDocument(item, budget, depth + 1);
    }
  }
}

function ownLength(value: unknown): number {
  if (typeof value === 'string') return value.length;
  return isRawNumber(value) ? numberText(value).length : 0;
}

/** Text that is the same for all values that are equal as JSON: keys sorted, numbers by value. Charges it. */
export function equalityKey(value: unknown, budget: Budget): string {
  chargeDocument(value, budget);
  return keyOf((value ?? null) as Json, budget);
}

function keyOf(value: Json, budget: Budget): string {
  if (typeof value === 'number' || isRawNumber(value)) return normalDigits(value, budget);
  if (Array.isArray(value)) return `[${value.map((item) => keyOf(item as Json, budget)).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const parts = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${keyOf(value[key] as Json, budget)}`);
  return `{${parts.join(',')}}`;
}

/** `json_parse` and `json_stringify`; numbers keep their digits. */
export function documentMethods(budget: Budget): Record<string, Method> {
  return {
    json_parse: eager(([value]) => {
      const text = textOf(value, 'json_parse', budget);
      budget.spend(text.length / readCharsPerStep);
      try {
        return parseJson(text);
      } catch {
        throw new Error('The operator "json_parse" was given a text that is no JSON.');
      }
    }),
    json_stringify: eager(([value]) => {
      chargeDocument(value, budget);
      return stringifyJson((value ?? null) as Json);
    }),
  };
}
