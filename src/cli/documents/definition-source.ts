/**
 * The definitions of a running Trama, read by its public API. Written for existing Trama, whose lists have other pages than ours:
 * a page without a cursor is followed by the offset, until one brings nothing new.
 */
import { hash } from 'node:crypto';
import {
  canonicalJson,
  isJsonObject,
  isRawNumber,
  numberText,
  ownProperty,
  parseJson,
  stringifyJson,
  type Json,
  type JsonObject,
} from '../../core/value/json.ts';
import { ApiRefusal, type PagingClient, textField } from '../api-client.ts';
import { CliProblem, exitCodes } from '../terminal.ts';

/** A definition as it is stored there. */
export interface SourceDefinition {
  /** Its id there; undefined where the record has none. */
  readonly id?: string;
  readonly name: string;
  readonly version: string;
  /** Undefined where the server does not give it away. */
  readonly definition?: JsonObject;
  /** A server like this one shows `***` for a secret in it: it is not what is stored there. */
  readonly isMasked?: true;
}

/** Definitions of one server, at most: more do not fit into one command. */
const maxDefinitions = 10_000;

const path = '/workflows/definitions';

/**
 * All definitions, the oldest first: a server that stores them in this order has the same `latest` of each name.
 *
 * @throws CliProblem (exit code 2) when the server cannot be read.
 */
export async function readDefinitions(api: PagingClient, url: string): Promise<readonly SourceDefinition[]> {
  const records = new Map<string, JsonObject>();
  let next: string | undefined = path;
  while (next !== undefined) {
    const { answer, cursor } = await asked(url, () => api.page(next ?? path));
    const page = listOf(answer, url);
    const before = records.size;
    for (const record of page) records.set(identityOf(record), record);
    if (records.size > maxDefinitions) {
      throw new CliProblem(
        `${url} has more than ${String(maxDefinitions)} definitions, which is the most that one import takes.`,
      );
    }
    if (cursor !== undefined) next = `${path}?${new URLSearchParams({ cursor }).toString()}`;
    else next = records.size > before ? `${path}?offset=${String(records.size)}` : undefined;
  }
  const sorted = [...records.values()].toSorted((a, b) => createdAt(a) - createdAt(b));
  const definitions: SourceDefinition[] = [];
  for (const record of sorted) definitions.push(await definitionOf(api, url, record));
  return definitions;
}

/** Says which of the two servers it was that refused. */
async function asked<T>(url: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    throw new CliProblem([`${url} refuses to be read (${String(error.status)}):`, ...error.lines], exitCodes.wrong);
  }
}

/** Existing Trama answers 204 where there is nothing. */
function listOf(answer: Json, url: string): readonly JsonObject[] {
  if (answer === null) return [];
  if (Array.isArray(answer)) return (answer as readonly Json[]).filter(isJsonObject);
  throw new CliProblem(`${url}${path} gave no list of definitions.`);
}

function identityOf(record: JsonObject): string {
  return textField(record, 'id') ?? `${textField(record, 'name') ?? ''}\0${textField(record, 'version') ?? ''}`;
}

/** An ISO 8601 time or a number; records without one come first, in the order of the list. */
function createdAt(record: JsonObject): number {
  const value = ownProperty(record, 'createdAt');
  if (typeof value === 'string') return Date.parse(value) || 0;
  return typeof value === 'number' || isRawNumber(value) ? Number(numberText(value)) : 0;
}

async function definitionOf(api: PagingClient, url: string, record: JsonObject): Promise<SourceDefinition> {
  const id = textField(record, 'id');
  let definition = contentOf(record);
  if (definition === undefined && id !== undefined) {
    const { answer } = await asked(url, () => api.page(`${path}/${encodeURIComponent(id)}`));
    definition = isJsonObject(answer) ? contentOf(answer) : undefined;
  }
  const text = (name: string): string => textField(definition ?? {}, name) ?? textField(record, name) ?? '';
  return {
    ...(id !== undefined && { id }),
    name: text('name'),
    version: text('version'),
    ...(definition !== undefined && { definition }),
    ...(definition !== undefined && isMasked(record, definition) && { isMasked: true as const }),
  };
}

/** The content hash of a definition, as records of a server like this one have it. */
export function contentHash(definition: JsonObject): string {
  return hash('sha256', canonicalJson(definition));
}

function isMasked(record: JsonObject, definition: JsonObject): boolean {
  const stored = textField(record, 'hash');
  return stored !== undefined && stringifyJson(definition).includes('***') && stored !== contentHash(definition);
}

/** The definition of a record, which may be JSON or its text. */
function contentOf(record: JsonObject): JsonObject | undefined {
  const value = ownProperty(record, 'definition');
  if (isJsonObject(value)) return value;
  if (typeof value !== 'string') return undefined;
  try {
    const parsed = parseJson(value);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    // A record without a definition that can be read is reported by its name.
    return undefined;
  }
}
