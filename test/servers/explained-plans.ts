/**
 * The plans of the statements that a store really sends, with what each part of them did: a server that explains every
 * statement into its log, in the plans that its connections keep.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresServer } from './postgres.ts';

const folder = 'explained';

const settings: Readonly<Record<string, string>> = {
  autovacuum: 'off',
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_format': 'json',
  logging_collector: 'on',
  log_destination: 'jsonlog',
  log_directory: folder,
};

/** Makes and starts a server that explains every statement. */
export function explainingServer(): Promise<PostgresServer> {
  return PostgresServer.create(settings);
}

/** A part of a plan as the server writes it. */
interface PlanNode {
  readonly Plans?: readonly PlanNode[];
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Loops': number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Join Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
}

/** What one execution of a statement did. */
export interface Explained {
  readonly text: string;
  readonly database: string;
  /** Rows that were read and then dropped by a condition. */
  readonly removed: number;
  /** Pages touched. */
  readonly buffers: number;
  /** Names of the indexes that were read. */
  readonly indexes: readonly string[];
  /** Tables that were read from the beginning to the end. */
  readonly scanned: readonly string[];
}

function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}

function explained(database: string, plan: { readonly 'Query Text': string; readonly Plan: PlanNode }): Explained {
  const nodes = [...nodesOf(plan.Plan)].filter((node) => node['Actual Loops'] > 0);
  const removed = nodes.map(
    (node) =>
      node['Actual Loops'] *
      ((node['Rows Removed by Filter'] ?? 0) +
        (node['Rows Removed by Join Filter'] ?? 0) +
        (node['Rows Removed by Index Recheck'] ?? 0)),
  );
  return {
    text: plan['Query Text'].trim(),
    database,
    removed: removed.reduce((sum, count) => sum + count, 0),
    buffers: plan.Plan['Shared Hit Blocks'] + plan.Plan['Shared Read Blocks'],
    indexes: [...new Set(nodes.flatMap((node) => node['Index Name'] ?? []))],
    scanned: [
      ...new Set(nodes.flatMap((node) => (node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : []))),
    ],
  };
}

/** The log of an explaining server. */
export class ExplainedLog {
  readonly #server: PostgresServer;
  #read = 0;
  #marks = 0;

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  /** What was executed since the last call. */
  async next(): Promise<readonly Explained[]> {
    const mark = `SELECT 'mark ${++this.#marks}'`;
    await this.#server.query(mark);
    for (;;) {
      const lines = this.#lines();
      // The server's log is written by a process of its own, in order.
      if (lines.some((line) => line.includes(mark))) {
        const news = lines.slice(this.#read).flatMap((line) => explainedLine(line));
        this.#read = lines.length;
        return news.filter(({ text }) => text !== mark);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #lines(): readonly string[] {
    const path = join(this.#server.socketFolder, 'data', folder);
    const files = readdirSync(path).filter((name) => name.endsWith('.json'));
    return files
      .toSorted()
      .map((name) => readFileSync(join(path, name), 'utf8'))
      .join('')
      .split('\n')
      .slice(0, -1);
  }
}

function explainedLine(line: string): readonly Explained[] {
  const { message = '', dbname = '' } = JSON.parse(line) as { readonly message?: string; readonly dbname?: string };
  const at = message.indexOf('plan:\n');
  return at < 0 ? [] : [explained(dbname, JSON.parse(message.slice(at + 6)) as Parameters<typeof explained>[1])];
}
