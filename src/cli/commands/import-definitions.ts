import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { ownProperty, stringifyJson, type JsonObject } from '../../core/value/json.ts';
import {
  ApiRefusal,
  type ApiClient,
  asObject,
  checkedCredential,
  checkedUrl,
  createApiClient,
  textField,
} from '../api-client.ts';
import { contentHash, readDefinitions, type SourceDefinition } from '../documents/definition-source.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface ImportOptions extends ServerOptions {
  readonly from: string;
  readonly fromApiKey?: string;
  readonly dryRun?: true;
}

/** The outcome of one definition. People have to settle all but the first two. */
type Result = 'imported' | 'exists' | 'differs' | 'invalid' | 'refused';

interface Outcome {
  readonly result: Result;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** `trama import-definitions`: copies the definitions of another Trama, under their own ids, the oldest first. */
export function defineImportDefinitions(command: Command, terminal: Terminal): void {
  command
    .requiredOption('--from <url>', 'the server to read from; existing Trama or this one')
    .option(
      '--from-api-key <key>',
      'the key to read with (default: TRAMA_FROM_API_KEY, which process lists do not show)',
    )
    .option('--dry-run', 'show what would happen, and store nothing');
  addServerOptions(
    command,
    'print one JSON document: { ok, dryRun, definitions: [{ id, name, version, result, errors, warnings }] }',
  )
    .addHelpText(
      'after',
      `
What is stored already is left alone, so the command can be run again. Exit codes: 0 the server has all of them now (with
--dry-run: it could take them); 1 some are invalid here, or other ones are stored under their names and versions; 2 wrong
usage, or a server cannot be reached.`,
    )
    .action(async (options: ImportOptions) => {
      const from = checkedUrl(options.from, '--from');
      const credential = checkedCredential(options.fromApiKey, '--from-api-key', terminal, 'TRAMA_FROM_API_KEY');
      const definitions = await readDefinitions(createApiClient(from, credential), from);
      const target = clientOf(options, terminal);
      const dryRun = options.dryRun === true;
      const reports: (SourceDefinition & Outcome)[] = [];
      for (const source of definitions) {
        const report = { ...source, ...(await importing(target, source, dryRun, reports.length)) };
        reports.push(report);
        if (options.json !== true) print(report, dryRun, terminal);
      }
      const ok = reports.every(({ result }) => result === 'imported' || result === 'exists');
      if (options.json === true) terminal.out(stringifyJson(documentOf(reports, ok, dryRun)));
      else terminal.out(summaryOf(reports, dryRun));
      terminal.exitCode = ok ? exitCodes.good : exitCodes.found;
    });
}

/** Reports how far the import came when it cannot continue. */
async function importing(target: ApiClient, source: SourceDefinition, dryRun: boolean, done: number): Promise<Outcome> {
  try {
    return await bring(target, source, dryRun);
  } catch (error) {
    if (!(error instanceof CliProblem)) throw error;
    const where = `${nameOf(source)}: the import stops here, after ${String(done)} definitions; run it again to go on.`;
    throw new CliProblem([...error.lines, where], exitCodes.wrong);
  }
}

async function bring(target: ApiClient, source: SourceDefinition, dryRun: boolean): Promise<Outcome> {
  const { definition, name, version } = source;
  if (definition === undefined)
    return refusal('invalid', ['definition: The other server returns this record without a definition.']);
  if (source.isMasked === true) {
    return refusal('invalid', [
      'definition: The other server masks a secret that this definition holds literally; store it from its file instead.',
    ]);
  }
  const known = await findStored(target, name, version);
  if (known !== undefined) {
    if (textField(known, 'hash') === contentHash(definition)) return outcome('exists');
    return refusal('differs', [
      'Another definition is stored here under this name and version; definitions never change, so give one of them a new version.',
    ]);
  }
  return dryRun ? check(target, source, definition) : store(target, source, definition);
}

async function check(target: ApiClient, { id }: SourceDefinition, definition: JsonObject): Promise<Outcome> {
  try {
    if (isUuid(id) && (await found(target, id)) !== undefined) {
      return refusal('differs', [`Another definition has the id ${id}.`]);
    }
    const report = asObject(await target.ask('POST', '/workflows/definitions/validate', definition));
    const errors = sentences(report, 'errors');
    return { result: errors.length === 0 ? 'imported' : 'invalid', errors, warnings: sentences(report, 'warnings') };
  } catch (error) {
    return refusalOf(error);
  }
}

/** The id stays that of the other server, so that clients which know it continue to work. */
async function store(target: ApiClient, { id }: SourceDefinition, definition: JsonObject): Promise<Outcome> {
  try {
    const record = isUuid(id)
      ? await target.ask('PUT', `/workflows/definitions/${id}`, definition)
      : await target.ask('POST', '/workflows/definitions', definition);
    // `latest` is decided by the millisecond, so no two may be stored in the same one.
    await pause(2);
    return { result: 'imported', errors: [], warnings: sentences(asObject(record), 'warnings') };
  } catch (error) {
    return refusalOf(error);
  }
}

function isUuid(id: string | undefined): id is string {
  return id !== undefined && /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id);
}

/** Status codes of refusals that do not concern the definition: the next definition would get the same. */
const general: ReadonlySet<number> = new Set([401, 408, 429]);

/** @throws any error that does not concern this definition. */
function refusalOf(error: unknown): Outcome {
  if (!(error instanceof ApiRefusal) || error.status >= 500 || general.has(error.status)) throw error;
  const results: Readonly<Record<number, Result>> = { 403: 'refused', 409: 'differs' };
  return refusal(results[error.status] ?? 'invalid', error.lines);
}

function findStored(target: ApiClient, name: string, version: string): Promise<JsonObject | undefined> {
  // These ids cannot be used: a request for them would mean something else.
  if (name === '' || version === '' || version === 'latest') return Promise.resolve(undefined);
  return found(target, `${encodeURIComponent(name)}/${encodeURIComponent(version)}`);
}

async function found(target: ApiClient, place: string): Promise<JsonObject | undefined> {
  try {
    return asObject(await target.ask('GET', `/workflows/definitions/${place}`));
  } catch (error) {
    if (error instanceof ApiRefusal && (error.status === 404 || error.status === 400)) return undefined;
    throw error;
  }
}

function outcome(result: Result): Outcome {
  return { result, errors: [], warnings: [] };
}

function refusal(result: Result, errors: readonly string[]): Outcome {
  return { result, errors, warnings: [] };
}

function sentences(document: JsonObject, field: string): readonly string[] {
  const list = ownProperty(document, field);
  return Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
}

function nameOf({ id, name, version }: SourceDefinition): string {
  return name === '' ? `definition ${id ?? 'without a name'}` : `${name} ${version}`;
}

const said: Readonly<Record<Result, string>> = {
  imported: 'imported',
  exists: 'exists already',
  differs: 'differs from what is stored here',
  invalid: 'is not valid here',
  refused: 'is refused here',
};

function print(report: SourceDefinition & Outcome, dryRun: boolean, terminal: Terminal): void {
  const { result, errors, warnings } = report;
  terminal.out(`${nameOf(report)}: ${dryRun && result === 'imported' ? 'would be imported' : said[result]}`);
  for (const error of errors) terminal.out(`  - ${error}`);
  for (const warning of warnings) terminal.out(`  warning: ${warning}`);
}

function summaryOf(reports: readonly Outcome[], dryRun: boolean): string {
  const count = (wanted: Result): number => reports.filter(({ result }) => result === wanted).length;
  const all = `${String(reports.length)} ${reports.length === 1 ? 'definition' : 'definitions'}`;
  const parts = [
    `${String(count('imported'))} ${dryRun ? 'would be imported' : 'imported'}`,
    `${String(count('exists'))} exist already`,
    `${String(count('differs'))} differ`,
    `${String(count('invalid'))} not valid`,
    ...(count('refused') > 0 ? [`${String(count('refused'))} refused`] : []),
  ];
  return `${all}: ${parts.join(', ')}.`;
}

function documentOf(reports: readonly (SourceDefinition & Outcome)[], ok: boolean, dryRun: boolean): JsonObject {
  return {
    ok,
    dryRun,
    definitions: reports.map(({ id, name, version, result, errors, warnings }) => ({
      ...(id !== undefined && { id }),
      name,
      version,
      result,
      errors,
      warnings,
    })),
  };
}
