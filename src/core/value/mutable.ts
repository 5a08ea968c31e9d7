/** A type whose fields can be assigned while a value is built. Never a type of finished values, which do not change. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
