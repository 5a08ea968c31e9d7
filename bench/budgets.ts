/**
 * `npm run budgets -- [DIRECTORY] [--only embedded|postgres] [--places N] [--records]`: what a chain takes, and its budget. Measures the sources
 * of this checkout, or the build of the checkout at DIRECTORY.
 *
 * `--places` adds the functions that allocate most, in bytes per chain; `--records` the kinds of WAL records and the statements of Postgres.
 */
import { parseArgs } from 'node:util';
import { embeddedBudgets, overrun, postgresBudgets, type Budget } from '../test/budgets/budgets.ts';
import type { BackendWork } from '../test/budgets/counted-backend.ts';
import { measureEmbedded, measurePostgres, type Measurement } from '../test/budgets/measure.ts';
import { provisionServers } from '../test/servers/provision.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    places: { type: 'string', default: '0' },
    records: { type: 'boolean', default: false },
  },
});

function column(value: number | undefined, fractionDigits: number, width: number): string {
  const format = new Intl.NumberFormat('en-US', { maximumFractionDigits: fractionDigits });
  return (value === undefined ? '' : format.format(value)).padStart(width);
}

/** A budget this far above its figure hides the next regression. */
const loose = 0.95;

function remark(figure: number, budget: Budget): string {
  if (overrun(figure, budget) !== undefined) return ' (exceeded)';
  return figure < budget.limit * loose ? ' (lower the budget)' : '';
}

function printWork({ records, statements }: BackendWork, chains: number): void {
  console.log('\nWAL per chain: records, bytes');
  for (const { kind, count, bytes } of records) {
    console.log(`${column(count / chains, 3, 12)}${column(bytes / chains, 0, 12)}  ${kind}`);
  }
  console.log('\nStatements per chain: calls, rows, bytes of WAL');
  for (const { sql, calls, rows, walBytes } of statements) {
    const numbers = [column(calls / chains, 3, 12), column(rows / chains, 2, 12), column(walBytes / chains, 0, 12)];
    console.log(`${numbers.join('')}  ${sql.replaceAll(/\s+/g, ' ').slice(0, 120)}`);
  }
}

function print<Figure extends string>(
  title: string,
  { figures, places, chains, backend }: Measurement<Figure>,
  budgets: Readonly<Record<Figure, Budget>>,
): void {
  console.log(`\n${title}: per chain\n${['figure', 'budget', 'target'].map((head) => head.padStart(12)).join('')}`);
  for (const name of Object.keys(budgets) as Figure[]) {
    const [figure, budget] = [figures[name], budgets[name]];
    const numbers = [figure, budget.limit, budget.target].map((value) => column(value, 2, 12));
    console.log(`${numbers.join('')}  ${budget.does} … ${budget.unit}${remark(figure, budget)}`);
  }
  const shown = places.slice(0, Number(values.places));
  if (shown.length > 0) console.log('\nBytes of heap per chain, by function');
  for (const [place, bytes] of shown) console.log(`${column(bytes, 0, 12)}  ${place}`);
  if (values.records && backend !== undefined) printWork(backend, chains);
}

const [root] = positionals;
if (values.only !== 'postgres') print('Embedded store', await measureEmbedded(root), embeddedBudgets);
if (values.only !== 'embedded') {
  await provisionServers();
  print('Postgres and Redis', await measurePostgres(root), postgresBudgets);
}
