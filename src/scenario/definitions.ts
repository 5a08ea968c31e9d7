import type { Plan, WorkflowPlan } from '../core/plan.ts';

/** The definitions that a scenario is about: that of its execution, and those of the executions that this one starts. */
export class Definitions {
  readonly root: Plan;
  readonly #others: readonly Plan[];

  /** `others` are in the order in which they would be stored: the last one of a name is its latest version. */
  constructor(root: Plan, others: readonly Plan[] = []) {
    this.root = root;
    this.#others = others;
  }

  /** The definition that a workflow node starts; undefined if it was not given. */
  find({ name, version }: WorkflowPlan['definition']): Plan | undefined {
    return [this.root, ...this.#others].findLast(
      (plan) => plan.name === name && (version === 'latest' || plan.version === version),
    );
  }
}
