/**
 * Runs the whole test suite (or what the arguments, handed on to vitest, select) and ends with one plain line
 * `N passed, N failed`. Exits as vitest does, and also fails when no test was executed.
 *
 * `--built`: `dist/` is up to date, so that tests start its program instead of the sources.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** Skipped or otherwise not executed. */
  readonly pending: number;
  /** Files whose process died (a crash of Node itself) before all of their tests had run, and none had failed. */
  readonly crashed: readonly string[];
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** With more than that it is no accident. */
const maxCrashes = 2;

/** Runs vitest to its end and resolves to its exit code; a run ended by a signal counts as 1. */
function runVitest(reportFile: string, args: readonly string[]): Promise<number> {
  const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
  const reporting = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const env = { ...process.env, TRAMA_TEST_BUILT: String(isBuilt) };
  const child = spawn(process.execPath, [vitest, 'run', ...reporting, ...args], { stdio: 'inherit', env });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', forward).on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** Counts of a finished run; undefined when vitest died before it could report. */
async function readCounts(reportFile: string): Promise<TestCounts | undefined> {
  let report: VitestReport;
  try {
    report = JSON.parse(await readFile(reportFile, 'utf8')) as VitestReport;
  } catch (error) {
    console.error(`vitest left no readable report: ${String(error)}`);
    return undefined;
  }
  // A file that cannot be loaded, or whose setup fails, has no failed test of its own: it counts as one.
  const brokenFiles = report.testResults.filter((f) => f.status === 'failed' && f.assertionResults.length === 0).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    pending: report.numPendingTests + report.numTodoTests,
    crashed: report.testResults
      .filter(({ status, assertionResults: of }) => status === 'failed' && of.some((x) => x.status === 'pending'))
      .filter(({ assertionResults: of }) => of.every((x) => x.status !== 'failed'))
      .map(({ name }) => name),
  };
}

const given = process.argv.slice(2);
const isBuilt = given.includes('--built');
const selected = given.filter((arg) => arg !== '--built');
const scratch = await mkdtemp(join(tmpdir(), 'trama-test-report-'));
try {
  const reportFile = join(scratch, 'report.json');
  let exitCode = await runVitest(reportFile, selected);
  const none: TestCounts = { passed: 0, failed: 0, pending: 0, crashed: [] };
  let counts = (await readCounts(reportFile)) ?? none;
  if (exitCode !== 0 && counts.failed === 0 && counts.crashed.length > 0 && counts.crashed.length <= maxCrashes) {
    // No test has failed: a process of the runner died. It is said, and its files have to pass in another one.
    console.error(`A test process crashed (see above). Once more: ${counts.crashed.join(', ')}`);
    exitCode = await runVitest(reportFile, counts.crashed);
    const again = (await readCounts(reportFile)) ?? none;
    counts = { ...again, passed: counts.passed + again.passed, pending: counts.pending + again.pending };
  }

  if (counts.passed + counts.failed === 0) {
    console.error('No test was executed.');
    exitCode ||= 1;
  }
  if (counts.pending > 0) console.log(`${counts.pending} not executed (skipped or todo)`);
  // An error outside of any test (an unhandled rejection, a worker that died) fails the run without failing a test.
  const failed = exitCode === 0 ? counts.failed : Math.max(counts.failed, 1);
  if (failed > 0) exitCode ||= 1;
  console.log(`${counts.passed} passed, ${failed} failed`);
  process.exitCode = exitCode;
} finally {
  await rm(scratch, { recursive: true, force: true });
}
