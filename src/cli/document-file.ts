/** Definitions, payloads and scenarios in files: JSON or YAML, with the digits of numbers as they stand there. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { parseDocument, visit } from 'yaml';
import { rawNumber, type Json } from '../core/json.ts';
import { DuplicateKey, parseUniqueJson } from '../core/unique-json.ts';
import { CliProblem, exitCodes } from './terminal.ts';

const standardInput = 0;

/** A text as a JSON value. `name` is for messages; `.json` and `.yaml` or `.yml` at its end say what the text is. */
export function parseDocumentText(text: string, name: string): Json {
  if (text.trim() === '') throw notADocument(`${name} is empty.`);
  const extension = extname(name).toLowerCase();
  const isYaml = extension === '.yaml' || extension === '.yml' || (extension !== '.json' && !/^\s*[[{]/.test(text));
  return isYaml ? parseYaml(text, name) : parseJsonText(text, name);
}

/**
 * Reads a file, or standard input for `-`.
 *
 * @throws CliProblem when it cannot be read or is neither JSON nor YAML.
 */
export function readDocumentFile(path: string): Json {
  const name = path === '-' ? 'standard input' : path;
  let text: string;
  try {
    text = readFileSync(path === '-' ? standardInput : path, 'utf8');
  } catch (error) {
    throw new CliProblem(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
  return parseDocumentText(text, name);
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

function parseYaml(text: string, name: string): Json {
  try {
    const value = readYaml(text, name);
    // An alias may stand within what it names, which nothing can write down.
    JSON.stringify(value);
    return value;
  } catch (error) {
    if (error instanceof CliProblem) throw error;
    // Too many aliases, too deep, or a value that holds itself.
    const [message] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    throw notADocument(`${name} cannot be used: ${message ?? ''}.`);
  }
}

function readYaml(text: string, name: string): Json {
  // Merge keys and timestamps are no part of YAML 1.2's core schema, and JSON knows neither.
  const document = parseDocument(text, { version: '1.2', intAsBigInt: true });
  const [first] = document.errors;
  if (first !== undefined) throw notADocument(`${name} is not YAML: ${first.message.split('\n', 1)[0]}`);
  visit(document, {
    Scalar(_key, scalar) {
      if (typeof scalar.value === 'bigint' || typeof scalar.value === 'number') {
        scalar.value = digitsOf(scalar.source, scalar.value, name);
      }
    },
  });
  return (document.toJS() ?? null) as Json;
}

/** The number as JSON has it: in its own digits where they are a JSON number, else (hexadecimal and such) as it reads. */
function digitsOf(source: string | undefined, value: bigint | number, name: string): Json {
  if (source !== undefined && jsonNumber.test(source)) {
    return String(Number(source)) === source ? Number(source) : rawNumber(source);
  }
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : rawNumber(String(value));
  if (!Number.isFinite(value)) throw notADocument(`${name} holds ${source ?? String(value)}, which is no JSON number.`);
  return value;
}

/** The command was used well: it is the document that is bad. */
function notADocument(sentence: string): CliProblem {
  return new CliProblem(sentence, exitCodes.found);
}
