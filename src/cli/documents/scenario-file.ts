/** Distinguishes scenarios from definitions in files, checks them against one, and plays them. */
import { isJsonObject, ownProperty, type Json } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import { readScenario } from '../../scenario/read.ts';
import { simulate } from '../../scenario/simulate.ts';
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

/** Checks a scenario against its definition and, unless told to check only, plays it. */
export function tryScenario(file: string, document: Json, plan: Plan, onlyCheck: boolean): ScenarioReport {
  const read = readScenario(document, plan);
  if (!read.ok) return { file, errors: read.errors, isJudged: false, isOnlyChecked: onlyCheck };
  const { scenario } = read;
  const { description } = scenario;
  return {
    file,
    ...(description === undefined ? undefined : { description }),
    errors: [],
    isJudged: scenario.expect !== undefined,
    isOnlyChecked: onlyCheck,
    ...(onlyCheck ? undefined : { result: simulate(plan, scenario) }),
  };
}
