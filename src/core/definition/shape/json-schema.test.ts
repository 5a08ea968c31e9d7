import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { brokenDefinitions } from '../../../../test/definitions/broken.ts';
import { validDefinitions } from '../../../../test/definitions/valid.ts';
import type { Json, JsonObject } from '../../value/json.ts';
import { documentShape, shapeBook } from './document-shape.ts';
import { definitionJsonSchema } from './json-schema.ts';
import { defaultDefinitionLimits } from '../limits.ts';
import { fits } from './shape-check.ts';

const shape = documentShape(defaultDefinitionLimits.maxNodeVisitsCap);
const accepts = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, strictTypes: false }).compile(
  definitionJsonSchema(),
);

/** All values that differ from `value` in one place: a field or element omitted, null, or of another type. */
function mutations(value: Json): Json[] {
  const others: Json[] = [null, 0, -1, 1.5, '', ' ', 'x', true, [], {}];
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    return list.flatMap((item, index) => [
      list.toSpliced(index, 1),
      ...[...others, ...mutations(item)].map((other) => list.with(index, other)),
    ]);
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value as JsonObject).flatMap(([key, item]) => {
    const { [key]: _removed, ...rest } = value as JsonObject;
    const changed = [...others, ...mutations(item)].map((other): Json => ({ ...(value as JsonObject), [key]: other }));
    return [rest, { ...(value as JsonObject), [`${key}z`]: item }, { ...rest, [`x-${key}`]: item }, ...changed];
  });
}

describe('definitionJsonSchema', () => {
  it.each(validDefinitions)('accepts $name', ({ definition }) => {
    accepts(definition);
    expect(accepts.errors).toBeNull();
  });

  it.each(brokenDefinitions)('judges "$name" as the validation of its structure does', ({ definition }) => {
    expect(accepts(definition)).toBe(fits(shape, definition, shapeBook()));
  });

  it('judges every definition that differs in one place as the validation of its structure does', () => {
    const all = validDefinitions.flatMap(({ definition }) => mutations(definition));
    const different = all.filter((definition) => accepts(definition) !== fits(shape, definition, shapeBook()));
    expect(all.length).toBeGreaterThan(1000);
    expect(different.map((definition) => JSON.stringify(definition))).toEqual([]);
  });

  it('describes every field that a document may have', () => {
    const undescribed: string[] = [];
    const visit = (schema: Json, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return;
      for (const [key, value] of Object.entries(schema)) {
        // Rules that combine fields repeat their names without describing them again.
        if (key === 'if' || key === 'allOf' || key === 'oneOf') continue;
        if (key === 'properties' && !path.endsWith('anyOf.1')) {
          for (const [field, of] of Object.entries(value as JsonObject)) {
            if (!Object.hasOwn(of as JsonObject, 'description')) undescribed.push(`${path}.${field}`);
          }
        }
        visit(value as Json, `${path}.${key}`);
      }
    };
    const { $defs, ...root } = definitionJsonSchema();
    visit(root, '');
    visit($defs as Json, '$defs');
    expect(undescribed).toEqual([]);
  });

  it('takes over the configured bounds of visits and of the time of a call', () => {
    const schema = JSON.stringify(definitionJsonSchema({ maxNodeVisitsCap: 7, maxTimeoutMillis: 9 }));
    expect(schema).toContain('"maximum":7');
    expect(schema).toContain('"maximum":9');
    expect(JSON.stringify(definitionJsonSchema())).toContain('"maximum":900000');
  });
});
