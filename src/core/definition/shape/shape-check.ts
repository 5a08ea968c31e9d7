import { templateText } from '../../template/template-text.ts';
import { isJsonObject, isRawNumber, ownProperty, type Json, type JsonObject } from '../../value/json.ts';
import { alternatives, at, closest, quote, show, type Path, type Problems } from '../problems.ts';
import type { ListShape, NumberShape, ObjectShape, Shape, ShapeBook, TaggedShape, TextShape } from './shape.ts';

/** Matches control characters and unpaired surrogates, which neither stores nor headers can carry. */
export const unprintable: RegExp = /[\p{Cc}\p{Cs}]/u;

/** Whether a key is an extension field (`x-…`) that the shape allows in addition to its known fields. */
const isExtension = (shape: ObjectShape, key: string): boolean => shape.extensible === true && key.startsWith('x-');

/** The value of an optional field, where `null` equals absence. */
export function present(object: JsonObject, key: string): Json | undefined {
  return ownProperty(object, key) ?? undefined;
}

/** Converts a JSON number to a double; undefined for any other value. */
export function toNumber(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value;
  return isRawNumber(value) ? Number(value.rawJSON) : undefined;
}

/** Whether a value conforms to a shape. */
export function fits(shape: Shape, value: Json, book: ShapeBook): boolean {
  const problems = new FirstProblem();
  checkShape(shape, value, '', book, problems);
  return !problems.isFull;
}

/** Records only whether there is a problem, so that checking each element of a long list stays cheap. */
class FirstProblem implements Problems {
  readonly errors: readonly string[] = [];
  readonly warnings: readonly string[] = [];
  isFull = false;

  error(): void {
    this.isFull = true;
  }

  warn(): void {
    // Warnings do not prevent a match.
  }
}

/** Checks a value against its shape and reports every deviation. */
export function checkShape(shape: Shape, value: Json, path: Path, book: ShapeBook, problems: Problems): void {
  const mustBe = (what: string): void => problems.error(path, `Must be ${what}, not ${show(value)}.`);
  switch (shape.type) {
    case 'json':
      return;
    case 'string':
      if (typeof value !== 'string') mustBe('a string');
      return;
    case 'boolean':
      if (typeof value !== 'boolean') mustBe('true or false');
      return;
    case 'text':
      if (typeof value === 'string') checkText(shape, value, path, problems);
      else mustBe('a string');
      return;
    case 'template': {
      const text = templateText(value);
      if (text === undefined) mustBe('a template, which is a string');
      else if (!shape.mayBeBlank && text.trim() === '') problems.error(path, 'Must not be blank.');
      return;
    }
    case 'integer':
    case 'number':
      checkNumber(shape, value, path, problems);
      return;
    case 'choice':
      if (typeof value !== 'string' || !shape.values.includes(value)) {
        problems.error(path, notOneOf(value, shape.values));
      }
      return;
    case 'list':
      if (Array.isArray(value)) checkList(shape, value as readonly Json[], path, book, problems);
      else mustBe('a list');
      return;
    case 'map':
      if (!isJsonObject(value)) return mustBe('an object');
      for (const key of Object.keys(value)) {
        if (problems.isFull === true) return;
        const item = ownProperty(value, key) ?? null;
        if (item !== null) checkShape(shape.of, item, at(path, key), book, problems);
      }
      return;
    case 'either':
      if (shape.options.some((option) => fits(option, value, book))) return;
      // An object can only be meant as the one option that is an object, whose parts are reported then.
      if (isJsonObject(value) && shape.ifObject !== undefined) {
        checkShape(shape.ifObject, value, path, book, problems);
      } else mustBe(shape.expected);
      return;
    case 'object':
      if (isJsonObject(value)) checkObject(shape, value, path, book, problems);
      else mustBe('an object');
      return;
    case 'tagged':
      if (isJsonObject(value)) checkTagged(shape, value, path, book, problems);
      else mustBe('an object');
      return;
    case 'ref': {
      const target = book[shape.name];
      if (target !== undefined) checkShape(target.shape, value, path, book, problems);
      return;
    }
    default:
      shape satisfies never;
  }
}

function notOneOf(value: Json, values: readonly string[]): string {
  const hint = typeof value === 'string' ? closest(value, values, 1) : undefined;
  return `${show(value)} is not one of ${values.join(', ')}${hint === undefined ? '.' : `; did you mean ${quote(hint)}?`}`;
}

function checkText(shape: TextShape, value: string, path: Path, problems: Problems): void {
  const length = Array.from(value).length;
  if (value.trim() === '') problems.error(path, 'Must not be blank.');
  if (shape.maxLength !== undefined && length > shape.maxLength) {
    problems.error(path, `Must have at most ${String(shape.maxLength)} characters, not ${String(length)}.`);
  }
  if (unprintable.test(value)) problems.error(path, `${quote(value)} holds a control character or half a character.`);
  const objection = shape.except !== undefined && Object.hasOwn(shape.except, value) ? shape.except[value] : undefined;
  if (objection !== undefined) problems.error(path, `${quote(value)} ${objection}.`);
}

function checkNumber(shape: NumberShape, value: Json, path: Path, problems: Problems): void {
  const number = toNumber(value);
  const kind = shape.type === 'integer' ? 'a whole number' : 'a number';
  if (number !== undefined && number >= shape.min && number <= shape.max) {
    if (shape.type === 'number' || Number.isInteger(number)) return;
  }
  const meaning = shape.meaning === undefined ? kind : `${shape.meaning}, ${kind}`;
  problems.error(path, `Must be ${meaning} from ${String(shape.min)} to ${String(shape.max)}, not ${show(value)}.`);
}

function checkList(shape: ListShape, value: readonly Json[], path: Path, book: ShapeBook, problems: Problems): void {
  const min = shape.minItems ?? 0;
  if (value.length < min) {
    const count = min === 1 ? 'one element' : `${String(min)} elements`;
    problems.error(path, `Must have at least ${count}, not ${value.length === 0 ? 'none' : String(value.length)}.`);
  }
  const seen = new Map<string, number>();
  for (const [index, item] of value.entries()) {
    if (problems.isFull === true) return;
    checkShape(shape.of, item, at(path, index), book, problems);
    if (shape.distinct !== true || typeof item !== 'string') continue;
    const first = seen.get(item);
    if (first === undefined) seen.set(item, index);
    else problems.error(at(path, index), `${quote(item)} is already at ${at(path, first)}.`);
  }
}

function checkObject(shape: ObjectShape, value: JsonObject, path: Path, book: ShapeBook, problems: Problems): void {
  checkKnown(shape, value, path, problems);
  checkFields(shape, value, path, book, problems);
}

function checkTagged(shape: TaggedShape, value: JsonObject, path: Path, book: ShapeBook, problems: Problems): void {
  const tags = Object.keys(shape.variants);
  const tag = present(value, shape.tag);
  if (tag === undefined) return problems.error(at(path, shape.tag), `This field is required: ${alternatives(tags)}.`);
  const variant = typeof tag === 'string' && Object.hasOwn(shape.variants, tag) ? shape.variants[tag] : undefined;
  if (variant === undefined) return problems.error(at(path, shape.tag), notOneOf(tag, tags));
  checkKnown(variant, value, path, problems, shape);
  checkFields(variant, value, path, book, problems);
}

/** Reports unknown fields, with a suggestion where possible. */
function checkKnown(shape: ObjectShape, value: JsonObject, path: Path, problems: Problems, within?: TaggedShape): void {
  const known = [...(within === undefined ? [] : [within.tag]), ...Object.keys(shape.fields)];
  for (const key of Object.keys(value)) {
    if (known.includes(key) || isExtension(shape, key)) continue;
    const owners = Object.entries(within?.variants ?? {}).flatMap(([tag, other]) =>
      Object.hasOwn(other.fields, key) ? [quote(tag)] : [],
    );
    const hint = closest(key, known);
    if (within !== undefined && owners.length > 0) {
      // Null equals absence, also for a field of another variant.
      if (ownProperty(value, key) === null) continue;
      const tag = show(ownProperty(value, within.tag) ?? null);
      problems.error(at(path, key), `This field belongs to ${within.tag} ${alternatives(owners)}, not to ${tag}.`);
    } else if (hint === undefined) {
      problems.error(at(path, key), `This field is unknown here; known are ${known.join(', ')}.`);
    } else {
      problems.error(at(path, key), `This field is unknown here; did you mean ${quote(hint)}?`);
    }
  }
}

function checkFields(shape: ObjectShape, value: JsonObject, path: Path, book: ShapeBook, problems: Problems): void {
  for (const [key, field] of Object.entries(shape.fields)) {
    const item = present(value, key);
    if (item !== undefined) checkShape(field.shape, item, at(path, key), book, problems);
    else if (field.required === true) problems.error(at(path, key), 'This field is required.');
  }
  const isGiven = (key: string): boolean => present(value, key) !== undefined;
  for (const group of shape.exactlyOneOf ?? []) {
    const given = group.filter(isGiven);
    if (given.length === 1) continue;
    const has = given.length === 0 ? 'none of them' : given.join(' and ');
    problems.error(path, `Needs exactly one of ${alternatives(group)}, but has ${has}.`);
    // The rules below make sense only once exactly one of the group is present.
    return;
  }
  for (const [key, others] of Object.entries(shape.requires ?? {})) {
    for (const other of isGiven(key) ? others : []) {
      if (!isGiven(other)) problems.error(at(path, other), `This field is required beside ${key}.`);
    }
  }
  for (const [key, others] of Object.entries(shape.excludes ?? {})) {
    for (const other of isGiven(key) ? others : []) {
      if (isGiven(other)) problems.error(at(path, other), `This field cannot stand beside ${key}.`);
    }
  }
}
