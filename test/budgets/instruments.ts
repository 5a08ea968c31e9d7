/**
 * Preloaded into a server (`node --import`): counts what the server allocates, turns into JSON, writes to sockets and asks of SQLite, from
 * one message of the parent process to the next. It imports nothing of Trama, so that it counts in other checkouts, too.
 *
 * The main thread answers the parent. The thread of the embedded store has instruments of its own, which the main thread asks.
 */
import inspector from 'node:inspector';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import sqlite from 'node:sqlite';
import { promiseHooks } from 'node:v8';
import workerThreads, { BroadcastChannel, isMainThread } from 'node:worker_threads';

/** What may be counted: promises apart from the other work, because hooks on them slow a process down. */
export type Phase = 'work' | 'promises';

/** A message of the parent. */
export type Order = { readonly begin: Phase } | { readonly end: true } | { readonly live: true };

/** Bytes over connections to a port that the server has opened. */
export interface Traffic {
  sent: number;
  received: number;
}

/** Bytes allocated by one function, as `name file:line`. */
export type Place = readonly [place: string, bytes: number];

/** What the thread of the embedded store did. */
export interface StoreWork {
  readonly allocated: number;
  readonly statements: number;
  readonly transactions: number;
  /** Rows inserted, updated and deleted. */
  readonly rows: number;
}

/** What a server did between `begin` and `end`. */
export interface ServerWork {
  /** Bytes of the heap of the main thread. */
  readonly allocated: number;
  readonly places: readonly Place[];
  readonly promises: number;
  readonly stringified: { readonly calls: number; readonly characters: number };
  readonly parsed: { readonly calls: number; readonly characters: number };
  readonly traffic: Readonly<Record<number, Traffic>>;
  /** Of the embedded store; null with Postgres. */
  readonly store: StoreWork | null;
}

/** Mean distance of two samples in bytes. 120 KB in each of 2 000 chains are 30 000 samples, which are exact to 1 % nearly always. */
const samplingInterval = 8_192;
const channelName = 'trama-budgets';
const placesReported = 400;

interface ProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly selfSize: number;
  readonly children: readonly ProfileNode[];
}

/** Samples the heap of this thread, objects included that are garbage by the end. */
class HeapMeter {
  readonly #session = new inspector.Session();

  constructor() {
    this.#session.connect();
  }

  begin(): void {
    this.#session.post('HeapProfiler.startSampling', {
      samplingInterval,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    } as inspector.HeapProfiler.StartSamplingParameterType);
  }

  /** Bytes of the heap without garbage. */
  live(): number {
    this.#session.post('HeapProfiler.collectGarbage');
    return process.memoryUsage().heapUsed;
  }

  end(): ReadonlyMap<string, number> {
    const places = new Map<string, number>();
    const add = ({ callFrame: { functionName, url, lineNumber }, selfSize, children }: ProfileNode): void => {
      const file = url.replace(/^.*\/(dist|src|node_modules)\//, '$1/');
      const place = `${functionName || '(anonymous)'} ${file}:${String(lineNumber + 1)}`;
      if (selfSize > 0) places.set(place, (places.get(place) ?? 0) + selfSize);
      children.forEach(add);
    };
    // The session is one of this thread: the answer comes before `post` returns.
    this.#session.post('HeapProfiler.stopSampling', (error, { profile } = { profile: undefined as never }) => {
      if (error !== null) throw error;
      add(profile.head);
    });
    return places;
  }
}

function sum(places: ReadonlyMap<string, number>): number {
  return [...places.values()].reduce((total, bytes) => total + bytes, 0);
}

/** Counts calls of JSON and their characters. */
function meterJson(): Record<'stringified' | 'parsed', { calls: number; characters: number }> {
  const counts = { stringified: { calls: 0, characters: 0 }, parsed: { calls: 0, characters: 0 } };
  const { stringify, parse } = JSON;
  type Replacer = Parameters<typeof stringify>[1];
  JSON.stringify = ((value: unknown, replacer: Replacer, space?: string | number): string | undefined => {
    // The types leave out that there is no text of `undefined`.
    const text = stringify(value, replacer, space) as string | undefined;
    counts.stringified.calls++;
    counts.stringified.characters += text?.length ?? 0;
    return text;
  }) as typeof stringify;
  JSON.parse = (text: unknown, reviver?: Parameters<typeof parse>[1]): unknown => {
    const string = typeof text === 'string' ? text : String(text);
    counts.parsed.calls++;
    counts.parsed.characters += string.length;
    return parse(string, reviver) as unknown;
  };
  return counts;
}

/** Collects the connections that this process opens; the answer says how much went over them so far, by port. */
function meterSockets(): () => Record<number, Traffic> {
  const sockets: net.Socket[] = [];
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the socket below
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]): net.Socket {
    this.once('connect', () => sockets.push(this));
    return (connect as (...all: unknown[]) => net.Socket).apply(this, args);
  };
  return () => {
    const traffic: Record<number, Traffic> = {};
    for (const { remotePort, bytesWritten, bytesRead } of sockets) {
      const of = (traffic[remotePort ?? 0] ??= { sent: 0, received: 0 });
      of.sent += bytesWritten;
      of.received += bytesRead;
    }
    return traffic;
  };
}

function difference(after: Record<number, Traffic>, before: Record<number, Traffic>): Record<number, Traffic> {
  const result: Record<number, Traffic> = {};
  for (const [port, { sent, received }] of Object.entries(after)) {
    const was = before[Number(port)] ?? { sent: 0, received: 0 };
    result[Number(port)] = { sent: sent - was.sent, received: received - was.received };
  }
  return result;
}

/** From this on, a delay is that of something done at intervals, or of a limit. */
const stretchedMillis = 1_000;
const longestMillis = 2 ** 31 - 1;

/**
 * Delays what the server does at intervals by minutes: sweeps, renewals, heartbeats and the retention belong to no chain, and add more to each
 * of them the slower the machine is.
 */
function stretchTimers(): void {
  const { setTimeout } = globalThis;
  const stretched = (callback: (value?: unknown) => void, millis = 0, value?: unknown): NodeJS.Timeout => {
    const delay = millis < stretchedMillis ? millis : Math.min(millis * 100, longestMillis);
    return value === undefined ? setTimeout(callback, delay) : setTimeout(callback, delay, value);
  };
  globalThis.setTimeout = Object.assign<typeof stretched, typeof setTimeout>(stretched, setTimeout);
}

/** Gives threads that are started from here these instruments, whatever options of Node they have. */
function instrumentThreads(): void {
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(file: string | URL, options: workerThreads.WorkerOptions = {}) {
      super(file, { ...options, execArgv: [...(options.execArgv ?? []), '--import', import.meta.url] });
      this.once('online', () => {
        threads++;
      }).once('exit', () => {
        threads--;
      });
    }
  };
  syncBuiltinESMExports();
}
let threads = 0;

/** The main thread: does what the parent orders, and answers an `end` with {@link ServerWork}. */
function serveParent(): void {
  instrumentThreads();
  stretchTimers();
  const heap = new HeapMeter();
  const json = meterJson();
  const traffic = meterSockets();
  const channel = new BroadcastChannel(channelName);
  channel.unref();
  let promises = 0;
  let stopHook: (() => void) | undefined;
  let before = traffic();

  const askStore = (order: Order): Promise<StoreWork | null> => {
    if (threads === 0) return Promise.resolve(null);
    channel.postMessage(order);
    if ('begin' in order) return Promise.resolve(null);
    return new Promise((resolve) => {
      channel.onmessage = (message): void => resolve((message as MessageEvent).data as StoreWork);
    });
  };
  const begin = (phase: Phase): void => {
    void askStore({ begin: phase });
    promises = 0;
    before = traffic();
    for (const count of Object.values(json)) Object.assign(count, { calls: 0, characters: 0 });
    if (phase === 'work') heap.begin();
    else stopHook = promiseHooks.onInit(() => promises++) as () => void;
  };
  const end = async (): Promise<ServerWork> => {
    const { stringified, parsed } = structuredClone(json);
    const counted = promises;
    const places = stopHook === undefined ? heap.end() : new Map<string, number>();
    stopHook?.();
    stopHook = undefined;
    return {
      allocated: sum(places),
      places: [...places].toSorted(([, a], [, b]) => b - a).slice(0, placesReported),
      promises: counted,
      stringified,
      parsed,
      traffic: difference(traffic(), before),
      store: await askStore({ end: true }),
    };
  };
  process.on('message', (order: Order) => {
    if ('begin' in order) {
      begin(order.begin);
      process.send?.('begun');
    } else if ('live' in order) {
      process.send?.(heap.live());
    } else {
      void end().then((work) => process.send?.(work));
    }
  });
  // The server ends when nothing of its own is left to do.
  process.channel?.unref();
}

/** The thread of the embedded store: counts statements, transactions and rows, and does without checkpoints, so that its log only grows. */
function serveStore(): void {
  const heap = new HeapMeter();
  const { DatabaseSync, StatementSync } = sqlite;
  // oxlint-disable-next-line typescript/unbound-method -- both are called with the database
  const { exec, prepare } = DatabaseSync.prototype;
  const commits = new WeakSet<sqlite.StatementSync>();
  const databases = new Set<sqlite.DatabaseSync>();
  let [statements, transactions, rowsBefore, isSampling] = [0, 0, 0, false];
  DatabaseSync.prototype.exec = function (this: sqlite.DatabaseSync, sql: string): void {
    statements++;
    exec.call(this, sql);
    databases.add(this);
    if (sql.includes('wal_autocheckpoint')) exec.call(this, 'PRAGMA wal_autocheckpoint = 0');
  };
  DatabaseSync.prototype.prepare = function (this: sqlite.DatabaseSync, ...args: Parameters<typeof prepare>) {
    const statement = prepare.apply(this, args);
    if (args[0] === 'COMMIT') commits.add(statement);
    return statement;
  };
  for (const name of ['run', 'get', 'all', 'iterate'] as const) {
    const original = StatementSync.prototype[name] as (...args: unknown[]) => unknown;
    StatementSync.prototype[name] = function (this: sqlite.StatementSync, ...args: unknown[]): unknown {
      statements++;
      if (commits.has(this)) transactions++;
      return original.apply(this, args);
    } as never;
  }
  const rows = (): number => {
    let total = 0;
    for (const database of databases) {
      total += (prepare.call(database, 'SELECT total_changes() AS rows').get() as { rows: number }).rows;
    }
    return total;
  };
  const channel = new BroadcastChannel(channelName);
  channel.unref();
  channel.onmessage = (message): void => {
    const order = (message as MessageEvent).data as Order;
    if ('begin' in order) {
      rowsBefore = rows();
      [statements, transactions, isSampling] = [0, 0, order.begin === 'work'];
      if (isSampling) heap.begin();
      return;
    }
    const allocated = isSampling ? sum(heap.end()) : 0;
    const counted = { allocated, statements, transactions };
    channel.postMessage({ ...counted, rows: rows() - rowsBefore } satisfies StoreWork);
  };
}

if (isMainThread) serveParent();
else serveStore();
