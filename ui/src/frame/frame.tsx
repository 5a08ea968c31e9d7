import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useSession } from '../api/server.ts';
import { needsSignIn } from '../api/session.ts';
import { useNow } from '../platform/clock.ts';
import { useStore } from '../platform/store.ts';
import { zoneSetting } from '../platform/settings.ts';
import { timeOfDay } from '../platform/times.ts';
import { Icon } from '../parts/icon.tsx';
import { Banner, useHeartbeat } from './banner.tsx';
import { Finder } from './finder.tsx';
import { ShortcutList } from './shortcut-list.tsx';
import { useShortcuts } from './shortcuts.ts';
import { SignIn } from './sign-in.tsx';

/** Pages of the navigation, in its order. */
const places = [
  { to: '/attention', text: 'Attention', icon: 'stands' },
  { to: '/executions', text: 'Executions', icon: 'columns' },
  { to: '/definitions', text: 'Definitions', icon: 'file' },
  { to: '/operations', text: 'Operations', icon: 'info' },
  { to: '/holds', text: 'Holds', icon: 'a-hold' },
  { to: '/audit', text: 'Audit', icon: 'book' },
] as const;

const colours: ReadonlySet<string> = new Set(['grey', 'red', 'orange', 'yellow', 'green', 'teal', 'blue', 'purple']);

/** What stands around every page: where one is, the search, the clock and its zone, and banners. */
export function Frame(): ReactNode {
  const session = useSession();
  const isAsking = useStore(needsSignIn);
  const [open, setOpen] = useState<'finder' | 'shortcuts'>();
  useHeartbeat();
  useShortcuts({
    '/': () => {
      setOpen('finder');
    },
    '?': () => {
      setOpen('shortcuts');
    },
    'ctrl k': () => {
      setOpen('finder');
    },
  });
  const path = useRouterState({ select: (state) => state.location.pathname });
  const environment = session?.environment;
  const colour = environment !== undefined && colours.has(environment.color) ? environment.color : 'other';
  return (
    <div className={`app env-${environment?.name === 'production' && colour === 'other' ? 'production' : colour}`}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="frame">
        <Link className="logo" to="/" aria-label="Trama, first page">
          <Icon name="trama" />
          <span>Trama</span>
        </Link>
        {environment !== undefined && environment.name !== '' && <span className="env">{environment.name}</span>}
        <nav className="nav" aria-label="Pages">
          {places.map(({ to, text, icon }) => (
            <Link key={to} to={to} aria-current={path.startsWith(to) ? 'page' : undefined}>
              <Icon name={icon} />
              <span>{text}</span>
            </Link>
          ))}
        </nav>
        <button
          type="button"
          className="finder"
          aria-label="Search: id, label:value, definition"
          onClick={() => {
            setOpen('finder');
          }}
        >
          <Icon name="search" />
          <span className="cut">Id, label:value, definition</span>
          <kbd>/</kbd>
        </button>
        <Clock />
        <Link
          className="me"
          to="/settings"
          aria-label={`Settings${session?.actor === undefined ? '' : `, signed in as ${session.actor}`}`}
        >
          <Icon name="user" />
        </Link>
      </header>
      <Banner />
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      {open === 'finder' && (
        <Finder
          onClose={() => {
            setOpen(undefined);
          }}
        />
      )}
      {open === 'shortcuts' && (
        <ShortcutList
          onClose={() => {
            setOpen(undefined);
          }}
        />
      )}
      {isAsking && <SignIn />}
    </div>
  );
}

/** The server's clock, and the one switch of the zone for all times. */
function Clock(): ReactNode {
  const zone = useStore(zoneSetting);
  const now = useNow();
  return (
    <div className="clock">
      <div className="seg small" role="group" aria-label="Time zone">
        {(['utc', 'local'] as const).map((choice) => (
          <button
            key={choice}
            type="button"
            aria-pressed={zone === choice}
            onClick={() => {
              zoneSetting.set(choice);
            }}
          >
            {choice === 'utc' ? 'UTC' : 'Local'}
          </button>
        ))}
      </div>
      <time>{timeOfDay(now, zone)}</time>
    </div>
  );
}
