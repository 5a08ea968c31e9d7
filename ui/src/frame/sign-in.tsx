import { type ReactNode, useState } from 'react';
import { ApiFailure, ask } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { keepKey, needsSignIn } from '../api/session.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';

/** Asks for an API key over the page, which keeps what was typed and chosen, and reads everything again. */
export function SignIn(): ReactNode {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  const submit = async (event: Pick<Event, 'preventDefault'>): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    keepKey(key.trim());
    try {
      await ask('/workflows', { parameters: { limit: 1 } });
      needsSignIn.set(false);
      await queryClient.invalidateQueries();
    } catch (error) {
      keepKey(undefined);
      const isRefused = error instanceof ApiFailure && error.status === 401;
      setProblem(isRefused ? 'The server does not know this key.' : (error as Error).message);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog
      title="Sign in"
      lead="This server asks for credentials."
      onClose={() => {
        needsSignIn.set(false);
      }}
    >
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <div className="field">
          <label htmlFor="api-key">API key</label>
          <input
            id="api-key"
            className="input"
            type="password"
            autoComplete="off"
            required
            value={key}
            aria-invalid={problem !== undefined}
            aria-describedby="api-key-hint"
            onChange={(event) => {
              setKey(event.target.value);
            }}
          />
          {problem !== undefined && (
            <p className="error" role="alert">
              <Icon name="oc-rejected" small />
              {problem}
            </p>
          )}
          <p className="hint" id="api-key-hint">
            The key is kept for this tab only and sent with each request; closing the tab forgets it.
          </p>
        </div>
        <div className="btns">
          <button type="submit" className="btn primary large" disabled={isBusy}>
            <Icon name="key" />
            Sign in
          </button>
        </div>
      </form>
    </Dialog>
  );
}
