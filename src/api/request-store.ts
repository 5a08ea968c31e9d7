import type { AuditEntry, AuditFilter } from '../ports/audit.ts';
import type { ExecutionPageRequest, ListedExecution } from '../ports/listing.ts';
import type {
  DefinitionName,
  DefinitionRecord,
  ExecutionFilter,
  Offer,
  OfferResult,
  PutDefinitionResult,
  TerminalChange,
  TerminalChangeResult,
} from '../ports/store.ts';
import type { ExecutionDetail, ExecutionProgress, Page, PageRequest } from '../ports/records.ts';
import type { AppContext, AppStore } from '../app/context.ts';
import { type Principal, sees } from '../security/principal.ts';
import { foreignText } from '../app/family/refuse-child.ts';
import { startedBy, startsOnly } from '../app/family/started-definitions.ts';
import type { Plan } from '../core/plan.ts';
import { ApiError } from './http/failure.ts';

/** Creates the audit entry for a change of `target`. */
export type MakeEntry = (target: string) => AuditEntry;

/**
 * The context that a request may use: the given one, unless the principal is limited or the request is audited. For a
 * limited principal, data of definitions outside its view appears not to exist. Changes store their audit entry in
 * their own transaction.
 */
export function appFor(app: AppContext, principal: Principal | null, makeEntry?: MakeEntry): AppContext {
  const isLimited = principal?.definitions !== undefined;
  if (!isLimited && makeEntry === undefined) return app;
  const store = new RequestStore(app.store, principal ?? undefined, makeEntry);
  const actor = principal === null ? undefined : { actor: principal.id };
  if (!isLimited) return { ...app, ...actor, store };
  const { engine, known, plans } = app;
  const mayRun = (plan: Plan): Promise<boolean> => startsOnly({ store, plans }, plan, (name) => sees(principal, name));
  return {
    ...app,
    ...actor,
    store,
    mayRun,
    known: {
      recall: (name, version) => (sees(principal, name) ? known.recall(name, version) : undefined),
      remember: (definition) => known.remember(definition),
    },
    engine: {
      mintId: (now) => engine.mintId(now),
      ring: (item) => engine.ring(item),
      watch: (id, changed) => engine.watch(id, changed),
      submit: (submission) => {
        demand(principal, submission.header.name);
        store.noteSeen(submission.header.id);
        const { plan } = submission;
        if (startedBy(plan).length === 0) return engine.submit(submission);
        return mayRun(plan).then((isAllowed) => {
          if (!isAllowed) throw new ApiError('forbidden', foreignText);
          return engine.submit({ ...submission, scope: principal.definitions ?? [] });
        });
      },
    },
  };
}

/** Throws if a request names a definition outside the principal's view, whether it exists or not. */
function demand(principal: Principal | undefined, name: string): void {
  if (sees(principal, name)) return;
  throw new ApiError(
    'forbidden',
    `These credentials are limited to definitions named ${principal?.definitions?.join(', ') ?? ''}.`,
  );
}

class RequestStore implements AppStore {
  readonly #store: AppStore;
  readonly #principal: Principal | undefined;
  readonly #makeEntry: MakeEntry | undefined;
  /** The execution that this request was last found to see. Its name does not change. */
  #seen: string | undefined;

  constructor(store: AppStore, principal: Principal | undefined, makeEntry: MakeEntry | undefined) {
    this.#store = store;
    this.#principal = principal;
    this.#makeEntry = makeEntry;
  }

  get #globs(): readonly string[] | undefined {
    return this.#principal?.definitions;
  }

  async getExecution(id: string): Promise<ExecutionDetail | undefined> {
    return this.#judged(id, await this.#store.getExecution(id));
  }

  async getProgress(id: string): Promise<ExecutionProgress | undefined> {
    return this.#judged(id, await this.#store.getProgress(id));
  }

  #judged<T extends ExecutionProgress>(id: string, found: T | undefined): T | undefined {
    if (found === undefined || !sees(this.#principal, found.name)) return undefined;
    this.noteSeen(id);
    return found;
  }

  /** Remembers that the principal may see this execution, so that it need not be read to find out. */
  noteSeen(id: string): void {
    this.#seen = id;
  }

  async #hasExecution(id: string): Promise<boolean> {
    return this.#globs === undefined || this.#seen === id || (await this.getProgress(id)) !== undefined;
  }

  async listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>> {
    const globs = this.#globs;
    if (filter.parent !== undefined && !(await this.#hasExecution(filter.parent))) return { items: [] };
    return this.#store.listExecutions(globs === undefined ? filter : { ...filter, nameGlobs: globs }, page);
  }

  async countChildren(id: string): ReturnType<AppStore['countChildren']> {
    const isSeen = await this.#hasExecution(id);
    return isSeen ? this.#store.countChildren(id, this.#globs) : { count: 0, running: 0, corrupted: 0 };
  }

  async listSteps(...args: Parameters<AppStore['listSteps']>): ReturnType<AppStore['listSteps']> {
    return (await this.#hasExecution(args[0])) ? this.#store.listSteps(...args) : { items: [] };
  }

  async listCalls(...args: Parameters<AppStore['listCalls']>): ReturnType<AppStore['listCalls']> {
    return (await this.#hasExecution(args[0])) ? this.#store.listCalls(...args) : { items: [] };
  }

  async listEffects(...args: Parameters<AppStore['listEffects']>): ReturnType<AppStore['listEffects']> {
    return (await this.#hasExecution(args[0])) ? this.#store.listEffects(...args) : [];
  }

  async readOutputs(...args: Parameters<AppStore['readOutputs']>): ReturnType<AppStore['readOutputs']> {
    return (await this.#hasExecution(args[0])) ? this.#store.readOutputs(...args) : [];
  }

  /** Audit entries of one visible execution. Limited callers may not read the whole log (see `route-access.ts`). */
  async listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>> {
    const isSeen = this.#globs === undefined || (await this.#hasExecution(filter.target ?? ''));
    return isSeen ? this.#store.listAudit(filter, page) : { items: [] };
  }

  async getDefinition(key: Parameters<AppStore['getDefinition']>[0]): Promise<DefinitionRecord | undefined> {
    const found = await this.#store.getDefinition(key);
    return found !== undefined && sees(this.#principal, found.name) ? found : undefined;
  }

  listDefinitions(page: PageRequest): Promise<Page<DefinitionRecord>> {
    return this.#store.listDefinitions(page, this.#globs);
  }

  listDefinitionNames(page: PageRequest): Promise<Page<DefinitionName>> {
    return this.#store.listDefinitionNames(page, this.#globs);
  }

  /** Reads by content hash, which a caller can only know from a visible execution or record. */
  getDefinitionBody(hash: string): Promise<string | undefined> {
    return this.#store.getDefinitionBody(hash);
  }

  async putDefinition(record: DefinitionRecord): Promise<PutDefinitionResult> {
    demand(this.#principal, record.name);
    return this.#store.putDefinition(record, this.#makeEntry?.(record.id));
  }

  async deleteDefinition(id: string): Promise<void> {
    if (this.#globs !== undefined && (await this.getDefinition({ id })) === undefined) return;
    await this.#store.deleteDefinition(id, this.#makeEntry?.(id));
  }

  /**
   * Settings belong to no definition; limited principals have no access to the routes that use them (see
   * `route-access.ts`).
   */
  getSetting(key: string): Promise<string | undefined> {
    return this.#store.getSetting(key);
  }

  initSetting(key: string, value: string): Promise<string> {
    return this.#store.initSetting(key, value);
  }

  changeSetting(key: string, from: string, to: string): Promise<boolean> {
    return this.#store.changeSetting(key, from, to);
  }

  async offer(offer: Offer, now: number): Promise<OfferResult> {
    if (!(await this.#hasExecution(offer.executionId))) return { kind: 'unknown' };
    const audit = this.#makeEntry?.(offer.executionId);
    return this.#store.offer({ ...offer, ...(audit !== undefined && { audit }) }, now);
  }

  async changeTerminal(change: TerminalChange): Promise<TerminalChangeResult> {
    if (!(await this.#hasExecution(change.id))) return false;
    const audit = this.#makeEntry?.(change.id);
    return this.#store.changeTerminal({ ...change, ...(audit !== undefined && { audit }) });
  }
}
