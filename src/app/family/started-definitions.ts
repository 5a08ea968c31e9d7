import type { Plan, WorkflowPlan } from '../../core/plan.ts';
import type { AppContext } from '../context.ts';

/** Levels of families, as in an execution. */
const maxDepth = 10;

/** The definitions that nodes of the plan start. */
export function startedBy(plan: Plan): readonly WorkflowPlan['definition'][] {
  return [...plan.nodes.values()].flatMap((node) => (node.kind === 'workflow' ? [node.definition] : []));
}

/**
 * Whether everything that a run of the plan starts has a name that `includes`, through the definitions that are stored now. A
 * definition that is not stored starts nothing.
 */
export async function startsOnly(
  { store, plans }: Pick<AppContext, 'plans'> & { readonly store: Pick<AppContext['store'], 'getDefinition'> },
  plan: Plan,
  includes: (name: string) => boolean,
): Promise<boolean> {
  const seen = new Set<string>();
  let level = startedBy(plan);
  for (let depth = 1; depth <= maxDepth && level.length > 0; depth++) {
    const next: WorkflowPlan['definition'][] = [];
    for (const { name, version } of level) {
      if (!includes(name)) return false;
      const key = JSON.stringify([name, version]);
      if (seen.has(key)) continue;
      seen.add(key);
      const record = await store.getDefinition({ name, version });
      const below = record && (await plans.load(record.hash));
      if (below !== undefined) next.push(...startedBy(below));
    }
    level = next;
  }
  return true;
}

/** Finds the plan of a definition that a node starts; undefined if there is none. */
export type FindPlan = (definition: WorkflowPlan['definition']) => Promise<Plan | undefined> | Plan | undefined;

/** Finds plans among the definitions that are stored now. */
export function storedPlans({
  store,
  plans,
}: Pick<AppContext, 'plans'> & { readonly store: Pick<AppContext['store'], 'getDefinition'> }): FindPlan {
  return async (definition) => {
    const record = await store.getDefinition(definition);
    return record && (await plans.load(record.hash));
  };
}

/**
 * The warning that a run of the plan may start a run of its own definition through others: `a starts b, which starts a`. None if it does not,
 * or does so itself, which its validation says.
 */
export async function cycleWarnings(plan: Plan, find: FindPlan): Promise<readonly string[]> {
  const names = await cycleOf(plan, find);
  if (names === undefined) return [];
  const path = names.map((name) => JSON.stringify(name)).join(', which starts ');
  return [
    `nodes: ${JSON.stringify(plan.name)} starts ${path}: each run may start another one; a family is at most 10 deep.`,
  ];
}

async function cycleOf(plan: Plan, find: FindPlan): Promise<readonly string[] | undefined> {
  const seen = new Set<string>();
  let level = startedBy(plan).map((definition) => ({ definition, path: [definition.name] }));
  for (let depth = 1; depth <= maxDepth && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { definition, path } of level) {
      const key = JSON.stringify([definition.name, definition.version]);
      if (definition.name === plan.name || seen.has(key)) continue;
      seen.add(key);
      const below = await find(definition);
      for (const started of below === undefined ? [] : startedBy(below)) {
        if (started.name === plan.name) return [...path, plan.name];
        next.push({ definition: started, path: [...path, started.name] });
      }
    }
    level = next;
  }
  return undefined;
}
