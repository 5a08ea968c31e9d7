import type { Command } from 'commander';
import {
  hasConfiguredCallbackKeys,
  previewPromotion,
  promoteStore,
  takeBackPromotion,
  targetNameOf,
  type PromotionRequest,
} from '../../compose/promotion/promote.ts';
import { PromotionRefused, type PromotionProgress } from '../../app/promotion/promotion.ts';
import { addConfigOptions, loadSettings, type ConfigOptions } from '../server/settings.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface PromoteOptions extends ConfigOptions {
  readonly to?: string;
  readonly dryRun?: true;
  readonly takeBack?: true;
  readonly json?: true;
}

/** The names of each kind of rows for people. */
const kindNames: Readonly<Record<PromotionProgress['kind'], string>> = {
  body: 'pinned definitions',
  execution: 'executions',
  step: 'history rows',
  call: 'calls',
  event: 'callbacks and other events',
  startKey: 'idempotency keys',
  audit: 'audit entries',
  definition: 'definitions',
  setting: 'settings',
  due: 'due times',
};

/** `trama promote`: moves everything from a data directory to Postgres. */
export function definePromote(command: Command, terminal: Terminal): void {
  addConfigOptions(command)
    .option('--to <url>', 'where to: postgres://user:password@host:port/database')
    .option('--dry-run', 'show what would be moved and what prevents it; change nothing')
    .option('--take-back', 'undo an interrupted promotion: the directory is used as before')
    .option('--json', 'print one JSON document: { outcome, dataDir, target, … }')
    .addHelpText(
      'after',
      `
Stop the server of the directory first; none may run on the target. When interrupted, run the same again. Exit codes: 0 done,
or already done; 1 refused, nothing lost; 2 wrong usage, or the target cannot be reached: run it again.`,
    )
    .action(async (options: PromoteOptions) => {
      if (options.to !== undefined && !/^postgres(?:ql)?:\/\//.test(options.to)) {
        throw new CliProblem('--to must be a URL that begins with postgres:// or postgresql://.');
      }
      if (options.takeBack === true && options.dryRun === true) {
        throw new CliProblem('--take-back and --dry-run exclude each other.');
      }
      if (options.to === undefined && options.takeBack !== true) throw new CliProblem('--to <url> is missing.');
      const config = loadSettings(options, terminal);
      const request: PromotionRequest = { config, to: options.to, onProgress: progressLines(terminal) };
      try {
        if (options.takeBack === true) await runTakeBack(request, options, terminal);
        else if (options.dryRun === true) await runPreview(request, options, terminal);
        else await runPromotion(request, options, terminal);
      } catch (error) {
        if (error instanceof PromotionRefused) throw new CliProblem(error.lines, exitCodes.found);
        const message = error instanceof Error ? error.message : String(error);
        throw new CliProblem([message, 'Nothing is lost: run the same command again.'], exitCodes.wrong);
      }
    });
}

function progressLines(terminal: Terminal): (progress: PromotionProgress) => void {
  return ({ step, kind, done, total }) => {
    terminal.progress(`${step}: ${done} of ${total} ${kindNames[kind]}`);
  };
}

function places({ config, to = '' }: PromotionRequest): { readonly dataDir: string; readonly target: string } {
  return { dataDir: config.database.dataDir, target: targetNameOf(to) };
}

async function runPromotion(request: PromotionRequest, { json }: PromoteOptions, terminal: Terminal): Promise<void> {
  const began = performance.now();
  const { digest, ...report } = await promoteStore(request);
  const outcome = digest === undefined ? 'already' : 'promoted';
  const { dataDir, target } = places(request);
  if (json === true) {
    const millis = Math.round(performance.now() - began);
    const more = digest === undefined ? {} : { digest };
    terminal.outText(JSON.stringify({ outcome, dataDir, target, ...report, ...more, millis }, null, 2));
    return;
  }
  if (outcome === 'already') {
    terminal.out(`Everything in ${dataDir} was already promoted to ${target}.`);
    return;
  }
  terminal.out(`Everything in ${dataDir} is promoted to ${target}:`);
  for (const line of table(report)) terminal.out(line);
  terminal.out('Serve that database from now on (database.url); the directory is not served any more.');
  if (hasConfiguredCallbackKeys(request.config)) {
    terminal.out('Callbacks are signed with keys of this configuration: configure the same runtime.callback there.');
  }
}

async function runPreview(request: PromotionRequest, { json }: PromoteOptions, terminal: Terminal): Promise<void> {
  const preview = await previewPromotion(request);
  const { dataDir, target } = places(request);
  if (preview.objections.length > 0) terminal.exitCode = exitCodes.found;
  if (json === true) {
    terminal.outText(JSON.stringify({ outcome: 'dry-run', dataDir, target, ...preview }, null, 2));
    return;
  }
  terminal.out(`To be moved from ${dataDir} to ${target}:`);
  for (const line of table(preview)) terminal.out(line);
  if (preview.migrations.length > 0)
    terminal.out(`The target gets its schema first: ${preview.migrations.join(', ')}.`);
  for (const sentence of preview.objections) terminal.out(`- ${sentence}`);
  if (preview.objections.length === 0) terminal.out('Nothing prevents it.');
}

async function runTakeBack(request: PromotionRequest, { json }: PromoteOptions, terminal: Terminal): Promise<void> {
  await takeBackPromotion(request);
  const { dataDir, target } = places(request);
  if (json === true) terminal.outText(JSON.stringify({ outcome: 'taken-back', dataDir, target }, null, 2));
  else terminal.out(`The data directory ${dataDir} can be served again.`);
}

function table({
  counts,
  statuses,
}: Pick<Awaited<ReturnType<typeof previewPromotion>>, 'counts' | 'statuses'>): string[] {
  const byStatus = Object.entries(statuses).map(([status, count]) => `${count} ${status}`);
  return Object.entries(counts).map(([kind, count]) => {
    const name = kindNames[kind as PromotionProgress['kind']];
    return `  ${count} ${name}${kind === 'execution' && count > 0 ? ` (${byStatus.join(', ')})` : ''}`;
  });
}
