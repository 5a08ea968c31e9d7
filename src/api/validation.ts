import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { alternatives, at, maxProblems, saidOf, show } from '../core/definition/problems.ts';
import { ApiError } from './http/failure.ts';

/** A UUID in either case. */
export const uuid: RegExp = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

// Ajv does not check these schemas against the meta-schema, which takes a tenth of a second to compile; a test does.
const options = {
  meta: false,
  validateSchema: false,
  allErrors: true,
  strict: true,
  strictTypes: false,
  removeAdditional: false,
  useDefaults: false,
} as const;
const formats = { uuid, 'date-time': true } as const;

/**
 * Bodies are validated without conversion; the texts of paths and queries are converted to numbers and lists as the
 * schema requires.
 */
const bodies = new Ajv2020({ ...options, formats });
const texts = new Ajv2020({ ...options, formats, coerceTypes: 'array' });

/** Marks the schema of an optional body; a missing one becomes an empty object. */
export const optionalBody: { readonly 'x-optional-body': true } = { 'x-optional-body': true };
bodies.addKeyword('x-optional-body');
texts.addKeyword('x-optional-body');

/** A schema as Fastify passes it. */
export interface RouteSchema {
  readonly schema: unknown;
  readonly httpPart?: string | undefined;
}

/**
 * Fastify's validator compiler. Its validators remove nothing, treat unknown fields as errors, and throw
 * {@link ApiError} `invalid_request` with one sentence per problem. They return a value only where it is another one. A
 * schema is compiled on first use, not at startup.
 */
export function compileValidator({ schema, httpPart }: RouteSchema): (data: unknown) => true | { value: unknown } {
  const isBody = httpPart === 'body';
  let validate: ValidateFunction | undefined;
  const isOptional = isBody && Object.hasOwn(schema as object, 'x-optional-body');
  return (data) => {
    const value = isOptional && (data === null || data === undefined) ? {} : data;
    validate ??= (isBody ? bodies : texts).compile(schema as object);
    if (validate(value)) return value === data ? true : { value };
    throw new ApiError('invalid_request', ...sentences(validate.errors ?? [], httpPart));
  };
}

function sentences(errors: readonly ErrorObject[], httpPart: string | undefined): readonly string[] {
  const root = httpPart === 'body' ? 'request' : (httpPart ?? 'request');
  const lines = new Set<string>();
  for (const [i, error] of errors.entries()) {
    if (lines.size === maxProblems) return saidOf(lines, errors.length - i);
    const path = pathOf(error);
    lines.add(`${path === '' ? root : path}: ${sentence(error, httpPart)}`);
  }
  return [...lines];
}

/** Converts `/labels/a~1b`, and the field that the error names, to `labels["a/b"].field`. */
function pathOf({ instancePath, keyword, params }: ErrorObject): string {
  let path = '';
  for (const part of instancePath.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path = at(path, /^\d+$/.test(key) ? Number(key) : key);
  }
  const field: unknown =
    keyword === 'required'
      ? params['missingProperty']
      : keyword === 'additionalProperties'
        ? params['additionalProperty']
        : undefined;
  return typeof field === 'string' ? at(path, field) : path;
}

const typeWords: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  null: 'null',
};

function sentence({ keyword, params, message }: ErrorObject, httpPart: string | undefined): string {
  switch (keyword) {
    case 'required':
      return 'Is required.';
    case 'additionalProperties':
      return httpPart === 'querystring' ? 'Is not a known query parameter.' : 'Is not a known field.';
    case 'type': {
      const types = [params['type']]
        .flat()
        .map(String)
        .filter((type) => type !== 'null');
      return `Must be ${alternatives(types.map((type) => typeWords[type] ?? type))}.`;
    }
    case 'enum':
      return `Must be ${alternatives((params['allowedValues'] as unknown[]).filter((value) => value !== null).map(show))}.`;
    case 'format':
      return params['format'] === 'uuid' ? 'Must be a UUID.' : `Must be a ${String(params['format'])}.`;
    case 'minLength':
      return `Must have at least ${String(params['limit'])} character${params['limit'] === 1 ? '' : 's'}.`;
    case 'maxLength':
      return `Must have at most ${String(params['limit'])} characters.`;
    case 'minimum':
      return `Must be at least ${String(params['limit'])}.`;
    case 'maximum':
      return `Must be at most ${String(params['limit'])}.`;
    case 'maxItems':
      return `Must have at most ${String(params['limit'])} entries.`;
    default:
      return `${(message ?? 'is not valid').replace(/^m/, 'M')}.`;
  }
}
