/** Shows an execution to a person who has to decide about it: its state, why it waits, the effects it left behind. */
import { isJsonObject, ownProperty, stringifyJson, type JsonObject } from '../../core/value/json.ts';
import { tableLines } from './table.ts';
import { detailsText, field, type History, standingLines, statusLine, timeline } from './timeline.ts';

/** The whole view, section by section. `now` is in ms since 1970. */
export function executionLines(document: JsonObject, history: History, now: number): readonly string[] {
  const result = ownProperty(document, 'result');
  return [
    statusLine(document),
    ...whyLines(document),
    ...facts(document),
    ...section('waits', waitingLines(document, now)),
    ...section('timeline', timeline(history)),
    ...section('changes', changeLines(document)),
    ...section('children', childLines(document)),
    ...section('compensations', compensationLines(document)),
    ...section('standing', standingLines(document)),
    ...(result === undefined ? [] : section('result', [stringifyJson(result)])),
    ...section('what to do', advice(document)),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}

/** Why it stands or ended so; a server of an earlier release does not say it. */
function whyLines(document: JsonObject): readonly string[] {
  const why = ownProperty(document, 'why');
  if (!isJsonObject(why)) return [];
  return [field(why, 'headline'), field(why, 'detail')].filter((text) => text !== '').map((text) => `  ${text}`);
}

function facts(document: JsonObject): readonly string[] {
  const labels = ownProperty(document, 'labels');
  const pairs = isJsonObject(labels) ? Object.keys(labels).map((name) => `${name}=${field(labels, name)}`) : [];
  const rows: readonly (readonly [string, string])[] = [
    ['parent', parentText(document)],
    ['root', rootText(document)],
    ['round', field(document, 'round')],
    ['started', field(document, 'startedAt')],
    ['updated', field(document, 'updatedAt')],
    ['reason', field(document, 'reason')],
    ['failed at', field(document, 'failedNodeId')],
    ['hook', hookText(document)],
    ['labels', pairs.join(', ')],
  ];
  return rows.filter(([, value]) => value !== '').map(([name, value]) => `  ${name.padEnd(9)}  ${value}`);
}

function parentText(document: JsonObject): string {
  const parent = ownProperty(document, 'parent');
  return isJsonObject(parent) ? `${field(parent, 'id')} (${visitText(parent)}, round ${field(parent, 'round')})` : '';
}

/** The root of the family, unless it is the parent. */
function rootText(document: JsonObject): string {
  const parent = ownProperty(document, 'parent');
  const root = field(document, 'root');
  return isJsonObject(parent) && field(parent, 'id') === root ? '' : root;
}

/** The visit that started a run: the node, its visit unless it is the first one, and the places of its items. */
function visitText(row: JsonObject): string {
  const item = ownProperty(row, 'item');
  return `${nodeName(row)}${Array.isArray(item) ? `[${item.map(String).join(',')}]` : ''}`;
}

function childLines(document: JsonObject): readonly string[] {
  const children = ownProperty(document, 'children');
  if (!isJsonObject(children)) return [];
  const rows = rowsOf(children, 'first');
  const count = Number(field(children, 'count'));
  const table = tableLines(
    ['node', 'round', 'id', 'status', 'name', 'version'],
    rows.map((row) => [
      visitText(row),
      ...['round', 'id', 'status', 'name', 'version'].map((name) => field(row, name)),
    ]),
  );
  const rest = `of ${String(count)}, ${field(children, 'running')} running; trama ls --parent ${field(document, 'id')} lists them`;
  return count > rows.length ? [...table, rest] : table;
}

/** The outcome of the hook, and the reason where it was not delivered. */
function hookText(document: JsonObject): string {
  const hook = ownProperty(document, 'hook');
  const warning = field(document, 'callbackWarning');
  if (!isJsonObject(hook)) return warning;
  const attempts = field(hook, 'attempts');
  const next = field(hook, 'nextAt');
  const calls = `${field(hook, 'state')} after ${attempts} ${attempts === '1' ? 'call' : 'calls'}`;
  return [calls, next && `next at ${next}`, warning].filter(Boolean).join('; ');
}

function rowsOf(document: JsonObject, name: string): readonly JsonObject[] {
  const rows = ownProperty(document, name);
  return Array.isArray(rows) ? rows.filter(isJsonObject) : [];
}

function waitingLines(document: JsonObject, now: number): readonly string[] {
  return tableLines(
    ['node', 'state', 'attempt', 'for', 'until', 'why'],
    rowsOf(document, 'currentNodes').map((node) => [
      nodeName(node),
      field(node, 'state'),
      field(node, 'attempt'),
      timeText(now - Date.parse(field(node, 'since'))),
      field(node, 'until'),
      field(node, 'detail'),
    ]),
  );
}

function compensationLines(document: JsonObject): readonly string[] {
  return tableLines(
    ['node', 'state', 'attempts', 'status', 'error'],
    rowsOf(document, 'compensations').map((row) => [
      nodeName(row),
      field(row, 'state'),
      field(row, 'attempts'),
      field(row, 'statusCode'),
      field(row, 'error'),
    ]),
  );
}

function changeLines(document: JsonObject): readonly string[] {
  return tableLines(
    ['at', 'who', 'what', 'details'],
    rowsOf(document, 'changes').map((row) => [
      field(row, 'at'),
      field(row, 'actor'),
      field(row, 'action'),
      detailsText(row),
    ]),
  );
}

function nodeName(row: JsonObject): string {
  const visit = field(row, 'visit');
  return `${field(row, 'nodeId')}${visit === '1' ? '' : `#${visit}`}`;
}

/** The next commands, where a person has to act. */
function advice(document: JsonObject): readonly string[] {
  return [...adviceOnEnd(document), ...adviceOnHook(document)];
}

function adviceOnHook(document: JsonObject): readonly string[] {
  const hook = ownProperty(document, 'hook');
  if (!isJsonObject(hook) || field(hook, 'state') === 'DELIVERED') return [];
  return [`trama hook redeliver ${field(document, 'id')}    to call its hook at once`];
}

function adviceOnEnd(document: JsonObject): readonly string[] {
  const id = field(document, 'id');
  if (field(document, 'status') === 'CORRUPTED') {
    const open = rowsOf(document, 'compensations').filter((row) => field(row, 'state') === 'FAILED');
    return [
      `trama retry ${id}    once the failed service works again`,
      ...open.map(
        (row) =>
          `trama resolve ${id} --node ${field(row, 'nodeId')} --visit ${field(row, 'visit')} --phase DOWN ` +
          '--outcome succeeded --reason "…"    after it was undone by hand (failed: accepts that it stands)',
      ),
    ];
  }
  return ownProperty(document, 'retryable') === true
    ? [`trama retry ${id}    to run it again; --dry-run shows first what stands`]
    : [];
}

/** A duration in the unit that people would use. */
function timeText(millis: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  for (const [unit, size] of units) if (millis >= size) return `${String(Math.floor(millis / size))} ${unit}`;
  return `${String(Math.max(0, Math.round(millis)))} ms`;
}
