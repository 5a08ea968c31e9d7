/** Shows an execution as lines for people: every call and every other event, its time, and its outcome. */
import {
  isJsonObject,
  numberText,
  ownProperty,
  stringifyJson,
  type Json,
  type JsonObject,
} from '../../core/value/json.ts';
import { visibleLine } from '../../core/value/visible-text.ts';
import { type PagingClient, readRows } from '../api-client.ts';

/** Bound of the history rows read of one execution, of each kind. */
const maxRows = 1000;

/** The history of an execution from a server; each list in its own order. */
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

/** One line for every call and for every step without one, with the time since the first of them began. */
export function timeline(history: History): readonly string[] {
  return new Timeline().lines(history);
}

/** A timeline in pieces: the columns keep their widths unless a wider text comes. */
export class Timeline {
  readonly #called = new Set<string>();
  #begin: number | undefined;
  #widths: Readonly<Record<'phase' | 'node' | 'outcome', number>>;

  /** `widths`: the least width of each column, where later rows are not known yet. */
  constructor(widths: Readonly<Record<'phase' | 'node' | 'outcome', number>> = { phase: 0, node: 0, outcome: 0 }) {
    this.#widths = widths;
  }

  /** The lines of new rows. A step whose call is here, or was in an earlier piece, has no line of its own. */
  lines({ steps, calls }: History): readonly string[] {
    for (const call of calls) this.#called.add(visitOf(call));
    const rows = merge({ steps: steps.filter((step) => !this.#called.has(visitOf(step))), calls });
    if (rows.length === 0) return [];
    const begin = (this.#begin ??= Math.min(...rows.map((row) => instant(row, 'startedAt'))));
    const lines = rows.map((row) => lineOf(row, begin));
    const width = (part: 'phase' | 'node' | 'outcome'): number =>
      Math.max(this.#widths[part], ...lines.map((line) => line[part].length));
    this.#widths = { phase: width('phase'), node: width('node'), outcome: width('outcome') };
    const { phase, node, outcome } = this.#widths;
    return lines.map((line) =>
      [line.time, line.phase.padEnd(phase), line.node.padEnd(node), line.outcome.padEnd(outcome), line.detail]
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Merges calls and steps by time. A call contains all data of its step, so only steps without a call get a line. */
function merge({ steps, calls }: History): readonly JsonObject[] {
  const others = [...steps];
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
  // The status code already shows a plain refusal.
  const why = field(row, 'note') || (status === '' ? field(row, 'error') : '');
  return {
    time: `${String(Math.max(0, instant(row, 'createdAt') - begin)).padStart(7)} ms`,
    phase: field(row, 'phase'),
    node: visibleLine(`${field(row, 'stepName')}${visit}${attempt}`),
    outcome: `${field(row, 'outcome')}${status === '' ? '' : ` (${status})`}`,
    detail: [request, why].filter((part) => part !== '').join('  '),
  };
}

/** Effects that remain although the execution did not succeed. */
export function standingLines(document: JsonObject): readonly string[] {
  const standing = ownProperty(document, 'standing');
  return (Array.isArray(standing) ? standing : [])
    .filter(isJsonObject)
    .map(
      (effect) =>
        `still stands: ${field(effect, 'nodeId')} (visit ${field(effect, 'visit')}, ${field(effect, 'outcome')}${childText(effect)})`,
    );
}

/** The run that the visit started, if it did. */
function childText(effect: JsonObject): string {
  const child = field(effect, 'child');
  return child === '' ? '' : `, run ${child}`;
}

/** Lines about a hook that has not been delivered, with the reason; otherwise empty. */
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

/** The details of a change, such as its reason, as `name=value`. */
export function detailsText(row: JsonObject): string {
  const details = ownProperty(row, 'details');
  if (details === undefined || !isJsonObject(details)) return '';
  return Object.keys(details)
    .map((name) => `${name}=${field(details, name)}`)
    .join('  ');
}
