/** Distinguishes scenarios from definitions in files, checks them against one, and plays them. */
import { isJsonObject, ownProperty, type Json } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import { readScenario } from '../../scenario/document/read.ts';
import { simulate } from '../../scenario/simulate.ts';
import { missingDefinitions } from './with-files.ts';
import type { ScenarioReport } from '../view/simulation-report.ts';

/** Fields of definitions only. */
const definitionFields = ['version', 'entrypoint'] as const;

/** Fields of scenarios only. */
const scenarioFields = ['payload', 'actions', 'expect', 'startedAt'] as const;

/** Whether a document is a scenario. The nodes or steps of a definition are lists. */
export function isScenario(document: Json): boolean {
  if (!isJsonObject(document)) return false;
  const parts = ['nodes', 'steps'].map((field) => ownProperty(document, field) ?? undefined);
  if (parts.some(Array.isArray) || definitionFields.some((field) => Object.hasOwn(document, field))) return false;
  return parts.some(isJsonObject) || scenarioFields.some((field) => Object.hasOwn(document, field));
}

/** What a scenario is tried with. */
export interface ScenarioSubject {
  readonly plan: Plan;
  /** Definitions that workflow nodes start. */
  readonly with: readonly Plan[];
  /** Whether the scenario is checked, but not played. */
  readonly onlyCheck: boolean;
}

/** Checks a scenario against its definitions and, unless told to check only, plays it. */
export function tryScenario(
  file: string,
  document: Json,
  { plan, with: others, onlyCheck }: ScenarioSubject,
): ScenarioReport {
  const missing = missingDefinitions(plan, others);
  const read =
    missing.length === 0 ? readScenario(document, plan, { with: others }) : ({ ok: false, errors: missing } as const);
  if (!read.ok) return { file, errors: read.errors, isJudged: false, isOnlyChecked: onlyCheck };
  const { scenario } = read;
  const { description } = scenario;
  return {
    file,
    ...(description === undefined ? undefined : { description }),
    errors: [],
    isJudged: scenario.expect !== undefined,
    isOnlyChecked: onlyCheck,
    ...(onlyCheck ? undefined : { result: simulate(plan, scenario, { with: others }) }),
  };
}
