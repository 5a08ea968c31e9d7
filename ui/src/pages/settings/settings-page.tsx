import type { ReactNode } from 'react';
import { useTitle } from '../../frame/title.ts';
import { queryClient } from '../../api/queries.ts';
import { useSession } from '../../api/server.ts';
import { apiKey, keepKey } from '../../api/session.ts';
import { schemeSetting, shortcutsSetting, zoneSetting } from '../../platform/settings.ts';
import { type Store, useStore } from '../../platform/store.ts';
import { Icon } from '../../parts/icon.tsx';

/** What the reader has chosen, in this browser, and who the server takes the reader for. */
export function SettingsPage(): ReactNode {
  useTitle('Settings');
  const session = useSession();
  const key = useStore(apiKey);
  return (
    <div className="page settings">
      <div className="page-head">
        <h1>Settings</h1>
        <span className="muted">kept in this browser</span>
      </div>
      <section className="panel" aria-label="Looks">
        <div className="panel-body stack">
          <Choice
            name="Colours"
            store={schemeSetting}
            choices={[
              ['system', 'As the system'],
              ['light', 'Light'],
              ['dark', 'Dark'],
            ]}
          />
          <Choice
            name="Times"
            store={zoneSetting}
            choices={[
              ['utc', 'UTC'],
              ['local', 'Local'],
            ]}
          />
          <Choice
            name="Single keys as shortcuts"
            store={shortcutsSetting}
            choices={[
              ['on', 'On'],
              ['off', 'Off'],
            ]}
          />
        </div>
      </section>
      <section className="panel" aria-label="You">
        <div className="panel-head">
          <h2>You</h2>
        </div>
        <div className="panel-body stack">
          <dl className="kv">
            <dt>Signed in as</dt>
            <dd>
              {session?.actor ??
                (key === undefined
                  ? 'nobody: the server asks for no credentials, or has not yet'
                  : 'the holder of an API key')}
            </dd>
            {session?.roles !== undefined && (
              <>
                <dt>Roles</dt>
                <dd>{session.roles.join(', ')}</dd>
              </>
            )}
            {session?.version !== undefined && (
              <>
                <dt>Server</dt>
                <dd>Trama {session.version}</dd>
              </>
            )}
          </dl>
          {key !== undefined && (
            <div>
              <button
                type="button"
                className="btn"
                onClick={() => {
                  keepKey(undefined);
                  queryClient.clear();
                  location.reload();
                }}
              >
                <Icon name="lock" />
                Sign out
              </button>
            </div>
          )}
        </div>
      </section>
    </div>
  );
}

function Choice<T extends string>({
  name,
  store,
  choices,
}: {
  readonly name: string;
  readonly store: Store<T>;
  readonly choices: readonly (readonly [T, string])[];
}): ReactNode {
  const value = useStore(store);
  return (
    <div className="row wrap" role="group" aria-label={name}>
      <span className="choice-name">{name}</span>
      <span className="seg">
        {choices.map(([choice, text]) => (
          <button
            key={choice}
            type="button"
            aria-pressed={value === choice}
            onClick={() => {
              store.set(choice);
            }}
          >
            {text}
          </button>
        ))}
      </span>
    </div>
  );
}
