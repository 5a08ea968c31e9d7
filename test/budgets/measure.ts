import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CountedBackend, countRecords, type BackendWork } from './counted-backend.ts';
import { CountedServer, waveSize } from './counted-server.ts';
import type { Place, ServerWork } from './instruments.ts';

/** 3 072 chains, after which V8 has compiled what runs often. */
const warmUpWaves = 48;
/** 2 048 chains, of which everything but promises is counted. */
const countedWaves = 32;
/** 512 chains, of which promises are counted. */
const promiseWaves = 8;

/** What a chain takes of the process, whatever its store is. */
export type ServerFigure =
  | 'allocatedBytes'
  | 'promises'
  | 'stringifyCalls'
  | 'stringifyCharacters'
  | 'parseCalls'
  | 'parseCharacters'
  | 'downstreamBytes';

/** What a chain takes with the embedded store. */
export type EmbeddedFigure =
  ServerFigure | 'storeAllocatedBytes' | 'sqliteStatements' | 'sqliteTransactions' | 'sqliteRows' | 'sqliteWalPages';

/** What a chain takes of Postgres and Redis, as these count it. */
type BackendFigure =
  | 'statements'
  | 'transactions'
  | 'rows'
  | 'coldUpdates'
  | 'indexInserts'
  | 'walBytes'
  | 'walRecords'
  | 'redisCommands'
  | 'redisBytes';

/** What a chain takes with Postgres and Redis. */
export type PostgresFigure = ServerFigure | BackendFigure | 'sentBytes' | 'receivedBytes';

/** Figures of one kind of store, all per chain, and where they come from. */
export interface Measurement<Figure extends string> {
  readonly figures: Readonly<Record<Figure, number>>;
  /** Functions that allocate most, in bytes per chain. */
  readonly places: readonly Place[];
  /** Chains that {@link Measurement.backend} is about. */
  readonly chains: number;
  readonly backend?: BackendWork;
}

const chains = countedWaves * waveSize;
/** A page and its header in the log of SQLite. */
const bytesOfWalPage = 4096 + 24;

/** What to do before chains are counted, and after. */
interface Around {
  readonly begin: () => Promise<void> | void;
  readonly end: () => Promise<void> | void;
}

interface Counted {
  readonly work: ServerWork;
  readonly figures: Record<ServerFigure, number>;
}

/** Counts, first everything but promises, then promises. */
async function count(server: CountedServer, around: Around): Promise<Counted> {
  await server.run(warmUpWaves);
  await around.begin();
  await server.begin('work');
  await server.run(countedWaves);
  const work = await server.end();
  await around.end();
  await server.begin('promises');
  await server.run(promiseWaves);
  const { promises } = await server.end();
  const figures = {
    allocatedBytes: work.allocated / chains,
    promises: promises / (promiseWaves * waveSize),
    stringifyCalls: work.stringified.calls / chains,
    stringifyCharacters: work.stringified.characters / chains,
    parseCalls: work.parsed.calls / chains,
    parseCharacters: work.parsed.characters / chains,
    downstreamBytes: (work.traffic[server.downstreamPort]?.sent ?? 0) / chains,
  };
  return { work, figures };
}

function perChain(places: readonly Place[]): readonly Place[] {
  return places.map(([place, bytes]) => [place, bytes / chains] as const);
}

/** Counts what a chain takes with the embedded store: of the sources of this checkout, or of the build of the checkout at `root`. */
export async function measureEmbedded(root?: string): Promise<Measurement<EmbeddedFigure>> {
  const server = await CountedServer.start({}, root);
  try {
    const log = join(server.dataDir, 'trama.db-wal');
    let [before, after] = [0, 0];
    const { work, figures } = await count(server, {
      begin: () => {
        before = statSync(log).size;
      },
      end: () => {
        after = statSync(log).size;
      },
    });
    const { store } = work;
    if (store === null) throw new Error('The thread of the embedded store was not counted.');
    return {
      figures: {
        ...figures,
        storeAllocatedBytes: store.allocated / chains,
        sqliteStatements: store.statements / chains,
        sqliteTransactions: store.transactions / chains,
        sqliteRows: store.rows / chains,
        sqliteWalPages: (after - before) / bytesOfWalPage / chains,
      },
      places: perChain(work.places),
      chains,
    };
  } finally {
    await server.close();
  }
}

function backendFigures(backend: BackendWork): Record<BackendFigure, number> {
  const { records, statements } = backend;
  const counted = (kinds: RegExp): number => countRecords(backend, kinds) / chains;
  return {
    statements: statements.reduce((total, { calls }) => total + calls, 0) / chains,
    transactions: counted(/^Transaction\/COMMIT/),
    rows: counted(/^Heap\/(INSERT|UPDATE|HOT_UPDATE|DELETE)/),
    coldUpdates: counted(/^Heap\/UPDATE/),
    // An entry that splits its page is part of the record of the split.
    indexInserts: counted(/^Btree\/(INSERT_LEAF|INSERT_POST|SPLIT_L|SPLIT_R)$/),
    walBytes: records.reduce((total, { bytes }) => total + bytes, 0) / chains,
    walRecords: records.reduce((total, record) => total + record.count, 0) / chains,
    redisCommands: backend.redisCommands / chains,
    redisBytes: backend.redisBytes / chains,
  };
}

/** Counts what a chain takes with Postgres and Redis: of the sources of this checkout, or of the build of the checkout at `root`. */
export async function measurePostgres(root?: string): Promise<Measurement<PostgresFigure>> {
  const servers = await CountedBackend.start();
  try {
    const server = await CountedServer.start(servers.env, root);
    try {
      let backend: BackendWork | undefined;
      const { work, figures } = await count(server, {
        begin: () => servers.begin(),
        end: async () => {
          backend = await servers.end();
        },
      });
      if (backend === undefined) throw new Error('Postgres was not counted.');
      const { sent, received } = work.traffic[servers.postgresPort] ?? { sent: 0, received: 0 };
      return {
        figures: {
          ...figures,
          ...backendFigures(backend),
          sentBytes: sent / chains,
          receivedBytes: received / chains,
        },
        places: perChain(work.places),
        chains,
        backend,
      };
    } finally {
      await server.close();
    }
  } finally {
    await servers.close();
  }
}
