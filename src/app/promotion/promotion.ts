import {
  copiedKinds,
  type ActivatedRows,
  type CopiedKind,
  type PromotionSource,
  type PromotionTarget,
  type RowCounts,
  type SourceRows,
  type TargetState,
} from '../../ports/promotion.ts';
import { StoreUnavailable, type DefinitionRecord, type Store } from '../../ports/store.ts';
import { readSourceMark, sourceMarkSentence, writeSourceMark, type SourceMark } from './source-mark.ts';
import { Tally } from './tally.ts';

/** The refusal of a promotion. Nothing was lost, and nothing was changed beyond what the sentences report. */
export class PromotionRefused extends Error {
  override readonly name = 'PromotionRefused';
  readonly lines: readonly string[];
  constructor(...lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

/** The progress of a promotion. */
export interface PromotionProgress {
  readonly step: 'copying' | 'comparing' | 'activating';
  readonly kind: keyof SourceRows;
  readonly done: number;
  readonly total: number;
}

/** Dependencies of a promotion. The source is open and locked; the target is opened when needed. */
export interface PromotionParts {
  readonly source: PromotionSource;
  readonly settings: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
  /** Names the source in messages. */
  readonly dataDir: string;
  readonly target: PromotionTarget;
  /** Names the target without its password; equal for the same database. */
  readonly targetName: string;
  /** Connects, migrates the schema, and creates partitions for executions with ids in the range. */
  readonly openTarget: (idRange: RowCounts['idRange']) => Promise<void>;
  readonly newId: () => string;
  readonly now: () => number;
  readonly pause: (millis: number) => Promise<void>;
  readonly progress: (progress: PromotionProgress) => void;
}

/** The rows that a promotion moved. */
export interface PromotionReport {
  readonly id: string;
  readonly counts: RowCounts['rows'];
  readonly statuses: RowCounts['statuses'];
  /** Digest of everything copied, equal for equal content; absent if an earlier run copied it. */
  readonly digest?: string;
}

/** How long to wait for a killed run or a stopping server to disconnect from the target. */
const departureMillis = 5000;
const departureLookMillis = 250;

/** How long a batch waits for an unavailable target. */
const patienceMillis = 30_000;
const retryMillis = 500;

/**
 * Moves everything from one store to another, exactly once and completely, however often it is interrupted. A second
 * call after the end finds that all is done.
 *
 * The steps: mark the source (no process works on it from then on), mark the target (no server starts on it), copy
 * (executions are not due), read back and compare, mark the source as about to be activated, activate in one
 * transaction of the target, mark the source as promoted. Another run continues with the same id: it keeps rows that
 * are copied, and leaves an activated target alone.
 *
 * Until the activation commits, the source is authoritative and the promotion can be taken back; from then on, the
 * target is. The source is marked before the activation, so that a promotion that may have been activated is taken back
 * only after asking the target.
 */
export async function promote(parts: PromotionParts): Promise<PromotionReport> {
  const { source, settings, target, targetName, now } = parts;
  const found = await readSourceMark(settings);
  const totals = await source.count();
  if (found?.phase === 'promoted') {
    if (found.target !== targetName) throw new PromotionRefused(sourceMarkSentence(parts.dataDir, found));
    return { id: found.id, counts: totals.rows, statuses: totals.statuses };
  }
  await parts.openTarget(totals.idRange);
  const state = await departed(parts);
  if (found !== undefined) refuseOtherTarget(parts, found, state);
  const id = found?.id ?? parts.newId();
  const mark = (phase: SourceMark['phase']): Promise<SourceMark> =>
    writeSourceMark(settings, { phase, id, target: targetName, at: now() });
  if (state.mark.id === id && state.mark.phase === 'done') {
    await mark('promoted');
    return { id, counts: totals.rows, statuses: totals.statuses };
  }
  refuseOccupied(state, id);
  await refuseConflicts(parts);
  await mark('copying');
  await begin(parts, id, found === undefined);
  const sent = await copy(parts, totals);
  await compare(parts, totals, sent);
  refuseOthers(await target.look());
  await mark('activating');
  await target.activate(id, activationOf(parts, totals));
  await mark('promoted');
  return { id, counts: totals.rows, statuses: sent.statuses, digest: sent.digest };
}

/**
 * Makes the source usable again and frees the target. Without `askTarget` it changes the source only, which is possible
 * while the source's phase is `copying`.
 */
export async function takeBack(parts: PromotionParts, askTarget: boolean): Promise<void> {
  const { settings, target, now, dataDir } = parts;
  const found = await readSourceMark(settings);
  if (found === undefined) throw new PromotionRefused(`The data directory ${dataDir} is not being promoted.`);
  if (found.phase === 'promoted') throw new PromotionRefused(sourceMarkSentence(dataDir, found));
  if (askTarget) {
    await parts.openTarget(undefined);
    const state = await departed(parts);
    refuseOtherTarget(parts, found, state);
    const { id, phase } = await target.takeBack(found.id);
    if (phase === 'done' && id === found.id) {
      throw new PromotionRefused(
        `${found.target} has taken over already, so the promotion cannot be taken back. Run "trama promote --to <its URL>" to finish.`,
      );
    }
  } else if (found.phase === 'activating') {
    throw new PromotionRefused(
      `${found.target} may have taken over already; only that database knows. Add --to <its URL>.`,
    );
  }
  await writeSourceMark(settings, { ...found, phase: 'taken-back', at: now() });
}

/** The obstacles to a promotion, as sentences; changes nothing. `state` is absent for a target without a schema. */
export async function objections(parts: PromotionParts, state: TargetState | undefined): Promise<readonly string[]> {
  const found = await readSourceMark(parts.settings);
  const checks: readonly (() => void | Promise<void>)[] = [
    () => {
      if (found?.phase === 'promoted') throw new PromotionRefused(sourceMarkSentence(parts.dataDir, found));
    },
    () => {
      if (found !== undefined && state !== undefined) refuseOtherTarget(parts, found, state);
    },
    () => {
      if (state !== undefined) refuseOccupied(state, found?.id ?? '');
    },
    () => {
      if (state !== undefined) refuseOthers(state);
    },
    () => (state === undefined ? undefined : refuseConflicts(parts)),
  ];
  const sentences: string[] = [];
  for (const check of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof PromotionRefused)) throw error;
      sentences.push(...error.lines);
    }
  }
  return sentences;
}

/** Waits until no other process is connected to the target, at most {@link departureMillis}, and returns its state. */
async function departed({ target, now, pause }: PromotionParts): Promise<TargetState> {
  const end = now() + departureMillis;
  for (;;) {
    const state = await target.look();
    if (state.others === 0) return state;
    if (now() >= end) refuseOthers(state);
    await pause(departureLookMillis);
  }
}

function refuseOthers({ others }: TargetState): void {
  if (others === 0) return;
  throw new PromotionRefused(
    `Other Trama processes are connected to the target (${others} connections). Stop its servers first: they would not ` +
      'know the callback keys that come with the promotion. Then run it again.',
  );
}

function refuseOtherTarget({ dataDir, targetName }: PromotionParts, found: SourceMark, { mark }: TargetState): void {
  // One database may have several names.
  if (mark.id === found.id || (found.target === targetName && found.phase === 'copying')) return;
  if (found.target === targetName) {
    throw new PromotionRefused(
      `The data directory ${dataDir} was about to be activated in ${targetName}, but that database has no record of it: ` +
        'it is another one, or was made anew. Nothing is changed until the first one is there again.',
    );
  }
  throw new PromotionRefused(sourceMarkSentence(dataDir, found), `${targetName} is another database.`);
}

function refuseOccupied({ mark, isOccupied }: TargetState, id: string): void {
  if (mark.phase === 'copying' && mark.id !== id) {
    throw new PromotionRefused('Another promotion into the target is under way. Finish or take back that one first.');
  }
  if (isOccupied && mark.id !== id) {
    throw new PromotionRefused('The target holds executions of its own: promote into an empty database.');
  }
}

async function refuseConflicts(parts: PromotionParts): Promise<void> {
  const lines: string[] = [];
  for await (const records of pages(parts, 'definition')) {
    for (const { name, version, id } of await patiently(parts, () => parts.target.conflicts(records))) {
      lines.push(
        `The target has another definition ${name} ${version}, or one with the id ${id}: delete it there first.`,
      );
    }
  }
  if (lines.length > 0) throw new PromotionRefused(...lines);
}

async function begin(parts: PromotionParts, id: string, isNew: boolean): Promise<void> {
  const { target, settings, now, targetName } = parts;
  try {
    const state = await target.begin(id);
    refuseOccupied(state, id);
    // A server started in the meantime either found the mark or is connected now.
    if (isNew) refuseOthers(await target.look());
  } catch (error) {
    if (isNew && error instanceof PromotionRefused) {
      await target.takeBack(id);
      await writeSourceMark(settings, { phase: 'taken-back', id, target: targetName, at: now() });
    }
    throw error;
  }
}

/** Copies everything; reads the next page while the target writes. */
async function copy(parts: PromotionParts, totals: RowCounts): Promise<Tally> {
  const tally = new Tally();
  for (const kind of copiedKinds) await copyKind(parts, kind, totals, tally);
  return tally;
}

async function copyKind(parts: PromotionParts, kind: CopiedKind, totals: RowCounts, tally: Tally): Promise<void> {
  const { source, target, progress } = parts;
  let reading = source.read(kind);
  for (;;) {
    const { rows, next } = await reading;
    if (next !== undefined) reading = source.read(kind, next);
    if (rows.length > 0) {
      const writing = patiently(parts, () => target.write(kind, rows));
      tally.add(kind, rows);
      // The next iteration awaits the page being read; a failure here would leave that promise unhandled.
      reading.catch(() => undefined);
      await writing;
      progress({ step: 'copying', kind, done: tally.count(kind), total: totals.rows[kind] });
    }
    if (next === undefined) return;
  }
}

/** Compares the copied rows with the source's counts, and with the rows that the target now has. */
async function compare(parts: PromotionParts, totals: RowCounts, sent: Tally): Promise<void> {
  const { target, progress } = parts;
  const lacking = copiedKinds.filter((kind) => sent.count(kind) !== totals.rows[kind]);
  if (lacking.length > 0) throw new Error(`The source returned fewer rows than it has: ${lacking.join(', ')}.`);
  const held = new Tally();
  for (const kind of copiedKinds) {
    let after: string | undefined;
    for (;;) {
      const from = after;
      const { rows, next } = await patiently(parts, () => target.read(kind, from));
      held.add(kind, rows);
      if (rows.length > 0) progress({ step: 'comparing', kind, done: held.count(kind), total: totals.rows[kind] });
      if (next === undefined) break;
      after = next;
    }
  }
  const differences = sent.differences(held);
  if (differences.length > 0) {
    throw new PromotionRefused(
      'The target does not hold what was copied; nothing was activated:',
      ...differences,
      'Take the promotion back with "trama promote --take-back --to <the URL>" and begin again.',
    );
  }
}

function activationOf(
  parts: PromotionParts,
  totals: RowCounts,
): {
  definitions: () => AsyncIterable<readonly DefinitionRecord[]>;
  settings: () => AsyncIterable<readonly ActivatedRows['setting'][]>;
  due: () => AsyncIterable<readonly ActivatedRows['due'][]>;
} {
  async function* due(): AsyncIterable<readonly ActivatedRows['due'][]> {
    let done = 0;
    for await (const rows of pages(parts, 'due')) {
      yield rows;
      done += rows.length;
      parts.progress({ step: 'activating', kind: 'due', done, total: totals.rows.execution });
    }
  }
  return { definitions: () => pages(parts, 'definition'), settings: () => pages(parts, 'setting'), due };
}

/** All non-empty pages of a kind. */
async function* pages<K extends keyof SourceRows>(
  { source }: PromotionParts,
  kind: K,
): AsyncIterable<readonly SourceRows[K][]> {
  let page = await source.read(kind);
  for (;;) {
    if (page.rows.length > 0) yield page.rows;
    if (page.next === undefined) return;
    page = await source.read(kind, page.next);
  }
}

/** Retries for a limited time while the target is unavailable. */
async function patiently<T>({ now, pause }: PromotionParts, ask: () => Promise<T>): Promise<T> {
  const end = now() + patienceMillis;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || error.kind !== 'unreachable' || now() >= end) throw error;
      await pause(retryMillis);
    }
  }
}
