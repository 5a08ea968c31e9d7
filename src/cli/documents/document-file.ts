/** Reads definitions, payloads and scenarios in files: JSON or YAML, with numbers digit for digit. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { isCollection, isMap, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { rawNumber, type Json } from '../../core/value/json.ts';
import { DuplicateKey, parseUniqueJson } from '../../core/value/unique-json.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

const standardInput = 0;

/** A definition from a file, and notes about its spelling. */
export interface DefinitionFile {
  readonly definition: Json;
  /** Sentences that begin with a path, like those of validation. */
  readonly warnings: readonly string[];
}

/** Parses a text as a JSON value. `name` is for messages; a final `.json`, `.yaml` or `.yml` determines the format. */
export function parseDocumentText(text: string, name: string): Json {
  if (text.trim() === '') throw notADocument(`${name} is empty.`);
  return isYaml(text, name) ? parseYaml(text, name) : parseJsonText(text, name);
}

/**
 * Parses a definition. Takes a `version` that YAML reads as a number, as in `version: 1.10`, as its original text, with
 * a warning.
 */
export function parseDefinitionText(text: string, name: string): DefinitionFile {
  const warnings: string[] = [];
  if (text.trim() === '' || !isYaml(text, name)) return { definition: parseDocumentText(text, name), warnings };
  return { definition: parseYaml(text, name, warnings), warnings };
}

function isYaml(text: string, name: string): boolean {
  const extension = extname(name).toLowerCase();
  return extension === '.yaml' || extension === '.yml' || (extension !== '.json' && !/^\s*[[{]/.test(text));
}

/**
 * Reads a file, or standard input for `-`.
 *
 * @throws CliProblem when the file cannot be read or is neither JSON nor YAML.
 */
export function readDocumentFile(path: string): Json {
  return parseDocumentText(readText(path), nameOf(path));
}

/** Reads a definition; see {@link parseDefinitionText}. */
export function readDefinitionFile(path: string): DefinitionFile {
  return parseDefinitionText(readText(path), nameOf(path));
}

/** Reads the definition of a file; prints the notes about its spelling. */
export function readNotedDefinition(path: string, { note }: Pick<Terminal, 'note'>): Json {
  const { definition, warnings } = readDefinitionFile(path);
  for (const warning of warnings) note(`Warning: ${warning}`);
  return definition;
}

const nameOf = (path: string): string => (path === '-' ? 'standard input' : path);

function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? standardInput : path, 'utf8');
  } catch (error) {
    throw new CliProblem(`${nameOf(path)} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function parseJsonText(text: string, name: string): Json {
  try {
    return parseUniqueJson(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    if (error instanceof DuplicateKey) throw notADocument(`${name}: ${error.message}`);
    throw notADocument(`${name} is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function parseYaml(text: string, name: string, warnings?: string[]): Json {
  try {
    const value = readYaml(text, name, warnings);
    // An alias may refer to a value around it, which JSON cannot express.
    JSON.stringify(value);
    return value;
  } catch (error) {
    if (error instanceof CliProblem) throw error;
    // Too many aliases, too much depth, or a value that contains itself.
    const [message] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    throw notADocument(`${name} cannot be used: ${message ?? ''}.`);
  }
}

function readYaml(text: string, name: string, warnings?: string[]): Json {
  const lineCounter = new LineCounter();
  // Merge keys and timestamps are not in YAML 1.2's core schema, and JSON has neither.
  const document = parseDocument(text, { version: '1.2', intAsBigInt: true, logLevel: 'error', lineCounter });
  const [first] = [...document.errors, ...document.warnings];
  if (first !== undefined) {
    const hint = unquotedTemplate(text, first.linePos?.[0].line);
    throw notADocument(`${name} is not YAML: ${first.message.split('\n', 1)[0]}${hint}`);
  }
  if (warnings !== undefined) takeVersionAsText(document, warnings);
  visit(document, {
    Pair(_key, { key }) {
      if (!isCollection(key)) return;
      const { line } = lineCounter.linePos(key.range?.[0] ?? 0);
      const hint = unquotedTemplate(text, line);
      throw notADocument(`${name} has a key at line ${String(line)} that is no text.${hint}`);
    },
    Scalar(_key, scalar) {
      if (typeof scalar.value === 'bigint' || typeof scalar.value === 'number') {
        scalar.value = digitsOf(scalar.source, scalar.value, name);
      }
    },
  });
  return (document.toJS() ?? null) as Json;
}

/** A value that begins with two braces, which YAML reads as a map in a map. */
const bareTemplate = /(?:^|[:[{,-])\s*\{\{/;

/** Advice about a template without quotes in a line or the one before it; empty where there is none. */
function unquotedTemplate(text: string, line: number | undefined): string {
  if (line === undefined) return '';
  const lines = text.split('\n');
  const at = [line, line - 1].find((number) => bareTemplate.test(lines[number - 1] ?? ''));
  if (at === undefined) return '';
  return ` Line ${String(at)} has a template without quotes, which YAML takes for a map: write it in quotes, as in url: "{{vars.BASE}}/orders".`;
}

/** `version: 1` is clear, although JSON needs a string there: an author of YAML may not know that this is a number. */
function takeVersionAsText(document: Document, warnings: string[]): void {
  const version = isMap(document.contents) ? document.contents.get('version', true) : undefined;
  if (!isScalar(version) || (typeof version.value !== 'number' && typeof version.value !== 'bigint')) return;
  const text = version.source ?? String(version.value);
  version.value = text;
  warnings.push(`version: ${text} is a number in YAML, and taken as the text "${text}"; write it in quotes.`);
}

/** The number in its own digits where they are a JSON number, else (hexadecimal and the like) as YAML reads it. */
function digitsOf(source: string | undefined, value: bigint | number, name: string): Json {
  if (source !== undefined && jsonNumber.test(source)) {
    return String(Number(source)) === source ? Number(source) : rawNumber(source);
  }
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : rawNumber(String(value));
  if (!Number.isFinite(value)) throw notADocument(`${name} holds ${source ?? String(value)}, which is no JSON number.`);
  return value;
}

/** The command is correct, but the document is not. */
function notADocument(sentence: string): CliProblem {
  return new CliProblem(sentence, exitCodes.found);
}
