/** Promotes a data directory to Postgres: opens both stores, and closes them in any case. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { callbackKeysOf } from '../../config/rules.ts';
import type { RowCounts } from '../../ports/promotion.ts';
import {
  objections,
  promote,
  PromotionRefused,
  takeBack,
  type PromotionParts,
  type PromotionProgress,
  type PromotionReport,
} from '../../app/promotion/promotion.ts';
import type { PostgresStore } from '../../store/postgres/postgres-store.ts';
import { systemClock } from '../system-clock.ts';
import { readTls } from '../tls/tls-files.ts';

/** The source and the target of a promotion. */
export interface PromotionRequest {
  /** Its `database.dataDir` is the source; its TLS and password apply where the URL has none. */
  readonly config: Config;
  /** `postgres://…`; required except for taking a promotion back. */
  readonly to: string | undefined;
  readonly onProgress?: (progress: PromotionProgress) => void;
}

/** The plan of a promotion. */
export interface PromotionPreview {
  readonly counts: RowCounts['rows'];
  readonly statuses: RowCounts['statuses'];
  /** Migrations that the target would get first. */
  readonly migrations: readonly string[];
  /** Why the promotion would be refused. */
  readonly objections: readonly string[];
}

const maxRoomMonths = 120;

/** The place that a URL names, without user, password and options. */
export function targetNameOf(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//').replace(/\?.*$/s, '');
}

/** Promotes; see `app/promotion/promotion.ts`. Throws PromotionRefused, or an Error with a sentence. */
export function promoteStore(request: PromotionRequest): Promise<PromotionReport> {
  return withStores(request, true, ({ parts }) => promote(parts));
}

/** Takes back a promotion that was not activated. Throws as {@link promoteStore}. */
export function takeBackPromotion(request: PromotionRequest): Promise<void> {
  return withStores(request, true, ({ parts }) => takeBack(parts, request.to !== undefined));
}

/** Plans a promotion, and changes nothing. Throws as {@link promoteStore}. */
export function previewPromotion(request: PromotionRequest): Promise<PromotionPreview> {
  return withStores(request, false, async ({ parts, store }) => {
    const { rows, statuses } = await parts.source.count();
    const migrations = await store.pendingMigrations();
    const state = migrations.length > 0 ? undefined : await parts.target.look();
    return { counts: rows, statuses, migrations, objections: await objections(parts, state) };
  });
}

/**
 * Whether this configuration signs callback tokens with keys that no store holds: the target's servers need those keys,
 * too.
 */
export function hasConfiguredCallbackKeys({ runtime }: Config): boolean {
  return callbackKeysOf(runtime.callback).length > 0;
}

async function withStores<T>(
  { config, to, onProgress = () => undefined }: PromotionRequest,
  mayMigrate: boolean,
  work: (stores: { readonly parts: PromotionParts; readonly store: PostgresStore }) => Promise<T>,
): Promise<T> {
  const { dataDir, ssl, password, statementTimeoutMillis } = config.database;
  const { SqliteStore } = await import('../../store/sqlite/sqlite-store.ts');
  const { databaseFile } = await import('../../store/sqlite/database.ts');
  const { PostgresStore } = await import('../../store/postgres/postgres-store.ts');
  if (!existsSync(databaseFile(dataDir))) {
    throw new PromotionRefused(`There is no store in ${dataDir}: nothing to promote. Is database.dataDir right?`);
  }
  const tls = readTls('database.ssl', ssl);
  const store = new PostgresStore({
    ...(to === undefined ? {} : { url: to }),
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(password === undefined ? {} : { password }),
    // A promotion is the only user of the target; the name distinguishes its connections.
    applicationName: `trama-promote-${randomUUID().slice(0, 8)}`,
    maxConnections: 2,
    minConnections: 0,
    statementTimeoutMillis: Math.max(60_000, statementTimeoutMillis),
  });
  const directory = new SqliteStore({ dataDir, migrate: mayMigrate });
  try {
    try {
      await directory.open();
    } catch (error) {
      throw new PromotionRefused(`${error instanceof Error ? error.message : String(error)} Stop its server first.`);
    }
    const parts: PromotionParts = {
      source: directory.promotionSource,
      settings: directory,
      dataDir,
      target: store.promotionTarget,
      targetName: targetNameOf(to ?? ''),
      openTarget: (idRange) => openTarget(store, idRange),
      newId: randomUUID,
      now: () => Date.now(),
      pause: (millis) =>
        new Promise((resolve) => {
          systemClock.after(millis, resolve);
        }),
      progress: onProgress,
    };
    return await work({ parts, store });
  } finally {
    await directory.close();
    await store.close();
  }
}

/** Opens the target. Executions of earlier months get partitions for those months, which retention can drop as a whole later. */
async function openTarget(store: PostgresStore, idRange: RowCounts['idRange']): Promise<void> {
  await store.open();
  if (idRange === undefined) return;
  const [first, last] = idRange.map((id) => new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16)));
  const months = (date: Date | undefined): number =>
    date === undefined ? 0 : date.getUTCFullYear() * 12 + date.getUTCMonth();
  const from = Math.max(months(first), months(last) - maxRoomMonths);
  await store.tendPartitions({
    now: Date.UTC(Math.floor(from / 12), from % 12),
    lookaheadMonths: months(last) - from,
    completedBefore: 0,
  });
}
