import type { EmbeddedFigure, PostgresFigure, ServerFigure } from './measure.ts';

/** What a chain may take. To change a budget, change its `limit`. */
export interface Budget {
  /** Verb and unit of the sentence "A chain allocates 71,234 bytes of heap". */
  readonly does: string;
  readonly unit: string;
  /** Per chain. */
  readonly limit: number;
  /** What the limit shall become. */
  readonly target?: number;
  /** How far a figure may exceed the limit, as a share of it: {@link exact}, {@link sampled}, {@link partlyBatched} or {@link batched}. */
  readonly slack: number;
  /** Completes the sentence "The budget is …, because". */
  readonly because: string;
}

/** Of what is the same in each run, but for a few background statements. */
const exact = 0.02;
/** Of what is estimated from samples, depends on when V8 compiles, or is partly done once per batch. */
const sampled = 0.1;
/** Of what is done for each chain and for each batch. */
const partlyBatched = 0.5;
/** Of what is done once per batch: batches are smaller when Postgres or Redis answer before the next one is complete. */
const batched = 2;

/** Budgets of the process that differ between stores by the given limits. */
function serverBudgets(limits: Readonly<Record<ServerFigure, number>>): Record<ServerFigure, Budget> {
  return {
    allocatedBytes: {
      does: 'allocates',
      unit: 'bytes of heap on the main thread',
      limit: limits.allocatedBytes,
      target: 60_000,
      slack: sampled,
      because:
        'the garbage of a chain once took a fifth of its CPU; a bare prototype of the same design allocates 40 KB',
    },
    promises: {
      does: 'creates',
      unit: 'promises',
      limit: limits.promises,
      target: 20,
      slack: partlyBatched,
      because:
        'calls and checkpoints are driven by callbacks, and promises belong to batches and to the requests of the API',
    },
    stringifyCalls: {
      does: 'calls JSON.stringify',
      unit: 'times',
      limit: limits.stringifyCalls,
      slack: exact,
      because: 'each row and each answer is encoded once',
    },
    stringifyCharacters: {
      does: 'encodes',
      unit: 'characters of JSON',
      limit: limits.stringifyCharacters,
      slack: exact,
      because:
        'nothing is stored twice: a step with its request and answer has 650 characters, the state of an execution 300',
    },
    parseCalls: {
      does: 'calls JSON.parse',
      unit: 'times',
      limit: limits.parseCalls,
      slack: exact,
      because: 'a chain has one submission and three answers to decode, and the worker keeps the state that it wrote',
    },
    parseCharacters: {
      does: 'decodes',
      unit: 'characters of JSON',
      limit: limits.parseCharacters,
      slack: exact,
      because: 'only the submission and the answers are decoded',
    },
    downstreamBytes: {
      does: 'sends',
      unit: 'bytes to downstreams',
      limit: limits.downstreamBytes,
      slack: exact,
      because: 'a call has a body of 200 bytes, and headers that name the call and its key',
    },
  };
}

/** Budgets with the embedded store. */
export const embeddedBudgets: Readonly<Record<EmbeddedFigure, Budget>> = {
  ...serverBudgets({
    allocatedBytes: 93_000,
    promises: 5.9,
    stringifyCalls: 16,
    stringifyCharacters: 3_815,
    parseCalls: 4,
    parseCharacters: 231,
    downstreamBytes: 1_758,
  }),
  storeAllocatedBytes: {
    does: 'allocates',
    unit: "bytes of heap on the store's thread",
    limit: 13_800,
    slack: sampled,
    because: 'rows arrive encoded, as one message for each batch, and are bound as they are',
  },
  sqliteStatements: {
    does: 'runs',
    unit: 'statements of SQLite',
    limit: 14.25,
    slack: exact,
    because: 'each row is written by one statement; only BEGIN and COMMIT are shared by a batch',
  },
  sqliteTransactions: {
    does: 'takes',
    unit: 'transactions of SQLite',
    limit: 0.13,
    slack: batched,
    because: 'all writes that wait share one transaction, and so one wait for the disk',
  },
  sqliteRows: {
    does: 'writes',
    unit: 'rows in SQLite',
    limit: 10,
    slack: exact,
    because:
      'an execution is inserted once and updated by each of its three checkpoints, which add one row for each visit',
  },
  sqliteWalPages: {
    does: 'writes',
    unit: 'pages to the WAL of SQLite',
    limit: 3.3,
    slack: 0.5,
    because:
      'a transaction writes each page that it changed once, so the pages of a chain depend on rows, indexes and batches',
  },
};

/** Budgets with Postgres and Redis. */
export const postgresBudgets: Readonly<Record<PostgresFigure, Budget>> = {
  ...serverBudgets({
    allocatedBytes: 106_000,
    promises: 10.2,
    stringifyCalls: 17,
    stringifyCharacters: 3_895,
    parseCalls: 4,
    parseCharacters: 231,
    downstreamBytes: 1_758,
  }),
  sentBytes: {
    does: 'sends',
    unit: 'bytes to Postgres',
    limit: 4_720,
    target: 4_000,
    slack: exact,
    because: 'nothing is sent twice, and columns that are nearly always null are not sent at all',
  },
  receivedBytes: {
    does: 'receives',
    unit: 'bytes from Postgres',
    limit: 231,
    slack: sampled,
    because: 'a write is answered with the id of the execution, and the worker keeps the state that it wrote',
  },
  statements: {
    does: 'takes',
    unit: 'statements of Postgres',
    limit: 0.13,
    slack: batched,
    because: 'all submissions that wait, and all checkpoints, share one statement',
  },
  transactions: {
    does: 'takes',
    unit: 'transactions of Postgres',
    limit: 0.13,
    slack: batched,
    because: 'a batch is one transaction, and so one wait for the disk',
  },
  rows: {
    does: 'writes',
    unit: 'rows in Postgres',
    limit: 7,
    slack: exact,
    because:
      'an execution is inserted once and updated by each of its three checkpoints, which add a row for each visit',
  },
  coldUpdates: {
    does: 'makes',
    unit: 'updates that are not HOT',
    limit: 1,
    slack: exact,
    because: 'only the last checkpoint of an execution changes columns that indexes have',
  },
  indexInserts: {
    does: 'inserts',
    unit: 'entries into B-trees',
    limit: 10,
    target: 8,
    slack: exact,
    because: 'each index shows which query needs it; two of the steps of this chain are read by later ones',
  },
  walBytes: {
    does: 'writes',
    unit: 'bytes of WAL',
    limit: 5_740,
    target: 5_000,
    slack: exact,
    because: 'nothing is stored twice; WAL is what replicas and archives of Postgres have to carry',
  },
  walRecords: {
    does: 'writes',
    unit: 'records of WAL',
    limit: 19,
    slack: 0.05,
    because: 'a record is a row or an index entry; commits are shared by batches',
  },
  redisCommands: {
    does: 'takes',
    unit: 'commands of Redis',
    limit: 0.06,
    slack: batched,
    because: 'leases are taken and given back for all executions of a moment at once',
  },
  redisBytes: {
    does: 'sends',
    unit: 'bytes to Redis',
    limit: 150,
    slack: 0.25,
    because: 'a command has ids only, and the keys of their shards',
  },
};

const format = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

/** What a figure says about its budget, as a sentence; undefined while it is kept. */
export function overrun(figure: number, { does, unit, limit, slack, because }: Budget): string | undefined {
  if (figure <= limit * (1 + slack)) return undefined;
  const allowance = `${format.format(limit)} and ${format.format(slack * 100)} %`;
  return `A chain ${does} ${format.format(figure)} ${unit}. The budget is ${allowance}, because ${because}.`;
}
