/** An execution as lines for people: every call and everything else that happened, when, and how it ended. */
import { isJsonObject, numberText, ownProperty, stringifyJson, type Json, type JsonObject } from '../core/json.ts';
import { visibleLine } from '../core/visible-text.ts';
import { type PagingClient, readRows } from './api-client.ts';

/** History rows read of one execution, of each kind. */
const maxRows = 1000;

/** What a server tells about the past of an execution; each list in its own order. */
export interface History {
  readonly steps: readonly JsonObject[];
  readonly calls: readonly JsonObject[];
}

/** Reads the history of an execution: its first 1000 steps and calls. */
export async function readHistory(api: PagingClient, id: string): Promise<History> {
  const read = (path: string): Promise<readonly JsonObject[]> => readRows(api, `/workflows/${id}/${path}`, maxRows);
  return { steps: await read('steps'), calls: await read('steps/calls') };
}

/** The status in one line, with the reason where there is one. */
export function statusLine(document: JsonObject): string {
  const took = field(document, 'durationMillis');
  const ended = took === '' ? '' : ` after ${took} ms`;
  const why = field(document, 'failureDescription');
  const name = ['name', 'version', 'id'].map((part) => field(document, part)).join(' ');
  return `${name}: ${field(document, 'status')}${ended}${why === '' ? '' : `: ${why}`}`;
}

interface Line {
  readonly time: string;
  readonly phase: string;
  readonly node: string;
  readonly outcome: string;
  readonly detail: string;
}

/** One line for every call and for every step that is none, with the time since the first of them began. */
export function timeline(history: History): readonly string[] {
  const rows = merge(history);
  const begin = Math.min(...rows.map((row) => instant(row, 'startedAt')));
  const lines = rows.map((row) => lineOf(row, begin));
  const width = (part: keyof Line): number => Math.max(0, ...lines.map((line) => line[part].length));
  const [phase, node, outcome] = [width('phase'), width('node'), width('outcome')];
  return lines.map((line) =>
    [line.time, line.phase.padEnd(phase), line.node.padEnd(node), line.outcome.padEnd(outcome), line.detail]
      .join('  ')
      .trimEnd(),
  );
}

/** Calls say all that the steps made of them say; steps without a call stand for themselves. */
function merge({ steps, calls }: History): readonly JsonObject[] {
  const called = new Set(calls.map(visitOf));
  const others = steps.filter((step) => !called.has(visitOf(step)));
  const rows: JsonObject[] = [];
  for (const call of calls) {
    // At the same instant the call comes first: the step follows from its answer.
    while (others[0] !== undefined && instant(others[0], 'createdAt') < instant(call, 'createdAt'))
      rows.push(...others.splice(0, 1));
    rows.push(call);
  }
  return [...rows, ...others];
}

function visitOf(row: JsonObject): string {
  return ['stepName', 'phase', 'visit', 'round'].map((part) => field(row, part)).join(' ');
}

function lineOf(row: JsonObject, begin: number): Line {
  const visit = field(row, 'visit') === '1' ? '' : `#${field(row, 'visit')}`;
  const attempt = Number(field(row, 'attempt')) > 1 ? ` attempt ${field(row, 'attempt')}` : '';
  const status = field(row, 'statusCode');
  const request = `${field(row, 'requestVerb')} ${field(row, 'requestUrl')}`.trim();
  // The status says what a plain refusal says.
  const why = field(row, 'note') || (status === '' ? field(row, 'error') : '');
  return {
    time: `${String(Math.max(0, instant(row, 'createdAt') - begin)).padStart(7)} ms`,
    phase: field(row, 'phase'),
    node: visibleLine(`${field(row, 'stepName')}${visit}${attempt}`),
    outcome: `${field(row, 'outcome')}${status === '' ? '' : ` (${status})`}`,
    detail: [request, why].filter((part) => part !== '').join('  '),
  };
}

/** What did not go away: effects that stand though the execution did not succeed. */
export function standingLines(document: JsonObject): readonly string[] {
  const standing = ownProperty(document, 'standing');
  return (Array.isArray(standing) ? standing : [])
    .filter(isJsonObject)
    .map(
      (effect) =>
        `still stands: ${field(effect, 'nodeId')} (visit ${field(effect, 'visit')}, ${field(effect, 'outcome')})`,
    );
}

/** That its hook has not been delivered, and why; nothing otherwise. */
export function hookLines(document: JsonObject): readonly string[] {
  const warning = field(document, 'callbackWarning');
  return warning === '' ? [] : [`not told of it: ${warning}`];
}

function instant(row: JsonObject, name: string): number {
  return Date.parse(field(row, name));
}

/** A field as text; empty when it is absent or null. */
export function field(row: JsonObject, name: string): string {
  return text(ownProperty(row, name));
}

function text(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  return stringifyJson(value);
}
