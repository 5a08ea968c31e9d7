import type {
  Checkpoint,
  CheckpointResult,
  LoadedExecution,
  NewExecution,
  Offer,
  OfferResult,
  Store,
  SubmitResult,
  TerminalChange,
} from '../../src/ports/store.ts';
import type { Ledger } from './ledger.ts';

type ClaimOf = Parameters<Store['takeOver']>[0][number];
type Method = (...args: unknown[]) => Promise<unknown>;

/**
 * Wraps a store so that every write that it answers is entered into the ledger before any process learns of the answer.
 */
export function observeStore(
  store: Store,
  ledger: Ledger,
  settingWritten: (name: string, text: string) => void,
): Store {
  const enter: Readonly<Record<string, (args: readonly unknown[], result: unknown) => void>> = {
    submit([batch], results) {
      for (const [i, execution] of (batch as readonly NewExecution[]).entries()) {
        if ((results as readonly SubmitResult[])[i]?.kind === 'created') ledger.submitted(execution);
      }
    },
    takeOver([asked], loaded) {
      const claims = new Map((asked as readonly ClaimOf[]).map(({ id, claim }) => [id, claim]));
      for (const { id, seq, dueAt } of loaded as readonly LoadedExecution[]) {
        ledger.takenOver(id, claims.get(id) ?? '', seq, dueAt);
      }
    },
    checkpoint([batch], results) {
      for (const [i, checkpoint] of (batch as readonly Checkpoint[]).entries()) {
        if ((results as readonly CheckpointResult[])[i]?.kind === 'written') ledger.written(checkpoint);
      }
    },
    changeTerminal([change], isWritten) {
      if (isWritten === true) ledger.changed(change as TerminalChange);
    },
    changeSetting([name, , to], isChanged) {
      if (isChanged === true) settingWritten(name as string, to as string);
    },
    offer([offer], result) {
      const { executionId, row } = offer as Offer;
      if ((result as OfferResult).kind === 'accepted') ledger.accepted(executionId, row.event);
    },
  };
  return new Proxy(store, {
    get(target, name): Method {
      const method = Reflect.get(target, name) as Method;
      return async (...args) => {
        const result = await method.apply(target, args);
        enter[String(name)]?.(args, result);
        return result;
      };
    },
  });
}
