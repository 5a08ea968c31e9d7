import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it, vi } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';
import type * as validation from './validation.ts';
import type { RouteSchema } from './validation.ts';
import { ApiError } from './http/failure.ts';

type Original = typeof validation;

const made = vi.hoisted(() => new Map<RouteSchema, (data: unknown) => unknown>());

vi.mock('./validation.ts', async (importOriginal) => {
  const original = await importOriginal<Original>();
  return {
    ...original,
    compileValidator: (route: RouteSchema) => {
      const validate = original.compileValidator(route);
      made.set(route, validate);
      return validate;
    },
  };
});

it('has a schema that can be used for every part of every route', async () => {
  const api = await new ApiFixture().open();
  await api.close();
  expect(made.size).toBeGreaterThan(50);
  const checker = new Ajv2020({ strict: false });
  for (const [route, validate] of made) {
    expect([checker.validateSchema(route.schema as object), checker.errors]).toEqual([true, null]);
    let answer: unknown;
    try {
      answer = validate({ 'no such field': true });
    } catch (error) {
      answer = error;
    }
    const isSaid = answer instanceof ApiError || (answer as { value?: unknown }).value !== undefined;
    expect([route.schema, answer instanceof Error && !isSaid ? answer.message : undefined]).toEqual([
      route.schema,
      undefined,
    ]);
  }
});
