/** Prints simulated executions as lines for people and as a JUnit report for build servers. */
import { stringifyJson } from '../../core/value/json.ts';
import { nodeName } from '../../scenario/names.ts';
import type { SimulationResult } from '../../scenario/simulate.ts';
import type { EndEntry, TraceEntry } from '../../scenario/trace.ts';

/** One scenario file and its outcome. */
export interface ScenarioReport {
  readonly file: string;
  readonly description?: string;
  /** Sentences about why the scenario could not be played. */
  readonly errors: readonly string[];
  /** Whether the scenario has expectations. */
  readonly isJudged: boolean;
  /** The scenario was only checked. */
  readonly isOnlyChecked?: boolean;
  readonly result?: SimulationResult;
}

/** Whether the scenario was played and met its expectations, or is valid where it was only checked. */
export function isGood({ errors, isOnlyChecked, result }: ScenarioReport): boolean {
  if (isOnlyChecked === true) return errors.length === 0;
  return errors.length === 0 && result !== undefined && result.diffs.length === 0 && result.stopped === undefined;
}

/** Every event in a line, and the outcome. */
export function reportLines(report: ScenarioReport): readonly string[] {
  const title = report.description === undefined ? report.file : `${report.file} - ${report.description}`;
  const { result } = report;
  if (result === undefined) {
    return isGood(report) ? [`${title}: valid`] : [title, ...report.errors.map((error) => `  - ${error}`)];
  }
  return [title, ...traceLines(result.trace), ...endLines(report, result)];
}

interface Row {
  readonly time: string;
  readonly phase: string;
  readonly node: string;
  readonly outcome: string;
  readonly detail: string;
}

function traceLines(trace: readonly TraceEntry[]): readonly string[] {
  const longest = trace.reduce((most, { atMillis }) => Math.max(most, atMillis), 0);
  const rows = trace.map((entry) => rowOf(entry, longest));
  const width = (part: keyof Row): number => Math.max(0, ...rows.map((row) => row[part].length));
  const [time, phase, node, outcome] = [width('time'), width('phase'), width('node'), width('outcome')];
  return rows.map((row) =>
    [
      row.time.padStart(time + 2),
      row.phase.padEnd(phase),
      row.node.padEnd(node),
      row.outcome.padEnd(outcome),
      row.detail,
    ]
      .join('  ')
      .trimEnd(),
  );
}

function rowOf(entry: TraceEntry, longest: number): Row {
  const time = virtualTime(entry.atMillis, longest);
  const note = entry.note ?? '';
  switch (entry.kind) {
    case 'call': {
      const attempt = entry.attempt === 1 ? '' : ` attempt ${String(entry.attempt)}`;
      const status = entry.statusCode === undefined ? '' : ` ${String(entry.statusCode)}`;
      const request = entry.request === undefined ? '' : `${entry.request.verb} ${entry.request.url}`;
      // The status code already shows a plain refusal.
      const why = entry.statusCode === undefined ? note : '';
      const detail = [request, why, again(entry.retryInMillis)].filter((part) => part !== '').join('  ');
      const outcome = `${entry.outcome}${status}`;
      return { time, phase: entry.phase, node: `${nodeText(entry)}${attempt}`, outcome, detail };
    }
    case 'step': {
      const detail = [note, again(entry.retryInMillis)].filter((part) => part !== '').join('  ');
      return { time, phase: entry.phase, node: nodeText(entry), outcome: entry.outcome, detail };
    }
    case 'callback': {
      const detail = [stringifyJson(entry.body), note].filter((part) => part !== '').join('  ');
      return { time, phase: '(callback)', node: nodeText(entry), outcome: entry.fate, detail };
    }
    case 'action':
      return {
        time,
        phase: `(${entry.do})`,
        node: entry.run ?? '',
        outcome: entry.accepted ? 'accepted' : 'refused',
        detail: note,
      };
    case 'end':
      return { time, phase: 'END', node: entry.run ?? '', outcome: entry.status, detail: note };
    default:
      return entry satisfies never;
  }
}

/** Where something happened; see `names.ts`. */
interface Placed {
  readonly run?: string;
  readonly nodeId: string;
  readonly item?: readonly number[];
  readonly visit: number;
}

/** The place of an item says more than the number of the visit. */
function nodeText({ run, nodeId, item, visit }: Placed): string {
  const name = nodeName([...(run === undefined ? [] : [{ nodeId: run }]), { nodeId, item }]);
  return visit === 1 || item !== undefined ? name : `${name}#${String(visit)}`;
}

function again(retryInMillis: number | undefined): string {
  return retryInMillis === undefined ? '' : `again in ${duration(retryInMillis)}`;
}

function endLines({ isJudged }: ScenarioReport, result: SimulationResult): readonly string[] {
  const { status, standing, stopped, diffs, trace, durationMillis } = result;
  const isOver = status === lastEnd(trace);
  const judged = isJudged ? (diffs.length === 0 ? ', as expected' : ', not as expected') : '';
  return [
    isOver
      ? `  ${status} after ${duration(durationMillis)} of virtual time${judged}`
      : `  ${status} for good: nothing more can happen${judged}`,
    ...(stopped === undefined ? [] : [`  ${stopped}`]),
    ...standing.map((effect) => `  still stands: ${nodeText(effect)} (${effect.outcome})`),
    ...diffs.flatMap(({ field, lines }) => [
      `  expect.${field} does not hold (- expected, + happened):`,
      ...lines.map((line) => `    ${line}`),
    ]),
  ];
}

/** The latest end of the root. */
function lastEnd(trace: readonly TraceEntry[]): string | undefined {
  return trace.findLast((entry): entry is EndEntry => entry.kind === 'end' && entry.run === undefined)?.status;
}

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];

/** A place on the time axis: milliseconds, or a clock where the execution takes longer than a minute. */
function virtualTime(millis: number, longest: number): string {
  if (longest < minute) return `${String(millis)} ms`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const clock = `${two((millis % day) / hour)}:${two((millis % hour) / minute)}:${two((millis % minute) / second)}`;
  const days = longest < day ? '' : `${String(Math.floor(millis / day))}d `;
  return `${days}${clock}.${String(millis % second).padStart(3, '0')}`;
}

/** A duration in its two greatest units. */
function duration(millis: number): string {
  const parts: string[] = [];
  let rest = millis;
  for (const [unit, name] of [
    [day, 'd'],
    [hour, 'h'],
    [minute, 'min'],
    [second, 's'],
    [1, 'ms'],
  ] as const) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) parts.push(`${String(count)} ${name}`);
  }
  return parts.length === 0 ? '0 ms' : parts.slice(0, 2).join(' ');
}

/** The reports as JUnit XML: a suite for the definition, a case for every scenario. */
export function junitReport(name: string, reports: readonly ScenarioReport[]): string {
  const failed = reports.filter((report) => !isGood(report)).length;
  const counts = `tests="${String(reports.length)}" failures="${String(failed)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="${xml(name)}" ${counts}>`,
    ...reports.flatMap((report) => junitCase(name, report)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function junitCase(name: string, report: ScenarioReport): readonly string[] {
  const head = `    <testcase classname="${xml(name)}" name="${xml(report.file)}"`;
  if (isGood(report)) return [`${head}/>`];
  const lines = report.result === undefined ? report.errors : endLines(report, report.result);
  const [first = ''] = lines;
  return [
    `${head}>`,
    `      <failure message="${xml(first.trim())}">${xml(lines.join('\n'))}</failure>`,
    '    </testcase>',
  ];
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** XML cannot contain control characters at all. */
function xml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- those are what is meant
  return text.replace(/[&<>"]/g, (char) => entities[char] ?? char).replace(/[\u0000-\u0008\u000b-\u001f]/g, '?');
}
