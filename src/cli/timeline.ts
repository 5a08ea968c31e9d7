/** An execution as lines for people: what happened when, and how it ended. */
import { isJsonObject, numberText, ownProperty, stringifyJson, type Json, type JsonObject } from '../core/json.ts';

/** The status in one line, with the reason where there is one. */
export function statusLine(document: JsonObject): string {
  const field = (name: string): string => text(ownProperty(document, name));
  const ended = ownProperty(document, 'durationMillis') === undefined ? '' : ` after ${field('durationMillis')} ms`;
  const why = field('failureDescription');
  return `${field('name')} ${field('version')} ${field('id')}: ${field('status')}${ended}${why === '' ? '' : `: ${why}`}`;
}

/** The steps, one per line, with the time since the first. */
export function timeline(steps: readonly JsonObject[]): readonly string[] {
  const at = (step: JsonObject): number => Date.parse(text(ownProperty(step, 'createdAt')));
  const begin =
    steps.length === 0 ? 0 : Math.min(...steps.map((step) => Date.parse(text(ownProperty(step, 'startedAt')))));
  const width = Math.max(0, ...steps.map((step) => text(ownProperty(step, 'stepName')).length));
  return steps.map((step) => {
    const field = (name: string): string => text(ownProperty(step, name));
    const attempts = field('attempt') === '1' || field('attempt') === '0' ? '' : `, attempt ${field('attempt')}`;
    const status = field('statusCode') === '' ? '' : ` (${field('statusCode')})`;
    const time = `${String(Math.max(0, at(step) - begin)).padStart(7)} ms`;
    return `${time}  ${field('phase').padEnd(8)} ${field('stepName').padEnd(width)}  ${field('outcome')}${status}${attempts}`;
  });
}

/** What did not go away: effects that stand though the execution did not succeed. */
export function standingLines(document: JsonObject): readonly string[] {
  const standing = ownProperty(document, 'standing');
  return (Array.isArray(standing) ? standing : []).filter(isJsonObject).map((effect) => {
    const field = (name: string): string => text(ownProperty(effect, name));
    return `still stands: ${field('nodeId')} (visit ${field('visit')}, ${field('outcome')})`;
  });
}

function text(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  return stringifyJson(value);
}
