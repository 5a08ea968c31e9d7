/** All roles. */
export const roles = ['viewer', 'runner', 'author', 'operator', 'admin'] as const;

/** A caller's role. A role includes others; each route requires one. */
export type Role = (typeof roles)[number];

const included: Readonly<Record<Role, readonly Role[]>> = {
  /** Reads. */
  viewer: ['viewer'],
  /** Also runs stored definitions. */
  runner: ['viewer', 'runner'],
  /** Also stores definitions, and runs inline definitions. */
  author: ['viewer', 'runner', 'author'],
  /** Runs stored definitions, and repairs: retry, cancel, terminate, wake, resolve, bulk, holds. */
  operator: ['viewer', 'runner', 'operator'],
  /** Everything. */
  admin: roles,
};

/** Whether these roles include the needed one. */
export function allows(held: readonly Role[], needed: Role): boolean {
  return held.some((role) => included[role].includes(needed));
}

/** Whether a text names a role. */
export function isRole(text: unknown): text is Role {
  return (roles as readonly unknown[]).includes(text);
}
