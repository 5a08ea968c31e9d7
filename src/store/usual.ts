/**
 * Fields that the text of a row omits where they have their usual value. An absent field stands for that value, so null is
 * written where a field has none although a value is usual.
 */

/** What is written of a field. */
export function unusual<T>(value: T | undefined, usual: T | undefined): T | null | undefined {
  return value === usual ? undefined : (value ?? null);
}

/** The field of which {@link unusual} made what was written. */
export function orUsual<T>(written: T | null | undefined, usual: T | undefined): T | undefined {
  return written === undefined ? usual : (written ?? undefined);
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without its undefined fields. */
export function withoutUndefined<T extends object>(object: T): Defined<T> {
  const kept: Partial<T> = {};
  for (const key of Object.keys(object) as (keyof T)[]) if (object[key] !== undefined) kept[key] = object[key];
  return kept as unknown as Defined<T>;
}
