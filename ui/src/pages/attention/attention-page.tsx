import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import { readHistoryRow, type Summary } from '../../api/executions.ts';
import { useReading } from '../../api/queries.ts';
import { serverNow } from '../../platform/clock.ts';
import type { Search } from '../../platform/search.ts';
import { agoText, durationText } from '../../platform/times.ts';
import { Body } from '../../parts/body.tsx';
import { type Bulk, BulkDialog } from '../../parts/bulk-dialog.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Answered } from '../../parts/question.tsx';
import { OutcomeBadge } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { shortId } from '../../parts/words.ts';
import { heldText } from '../operations/holds.ts';
import { isTrouble } from '../execution/selection.ts';
import { type Attention, type Cause, type Count, standingFilter, useAttention } from './use-attention.ts';

/** Hosts and causes that are named one by one; the lists have them all. */
const maxHosts = 5;
const maxCauses = 12;

/** What needs a person now? Groups in the order of their urgency, each with a sentence, a count and one action. */
export function AttentionPage(): ReactNode {
  useTitle('Attention');
  const result = useAttention();
  const [kept, setKept] = useState<Attention>();
  // What is shown stays until the reader asks for the new: nothing moves under a pointer.
  const shown = kept ?? result.data;
  if (kept === undefined && result.data !== undefined) setKept(result.data);
  const hasChanged = kept !== undefined && result.data !== undefined && fingerprint(kept) !== fingerprint(result.data);
  return (
    <div className="page attention">
      <div className="page-head">
        <h1>What needs a person</h1>
        {shown !== undefined && (
          <span className="muted">
            as of <Time at={hasChanged ? shown.asOf : (result.data?.asOf ?? shown.asOf)} />, most urgent first
          </span>
        )}
        {hasChanged && (
          <span className="push row">
            <span className="small muted">Changed since</span>
            <button
              type="button"
              className="btn small"
              onClick={() => {
                setKept(result.data);
              }}
            >
              Show
            </button>
          </span>
        )}
      </div>
      <Answered of={result} what="Looking">
        {(data) => <Groups attention={shown ?? data} />}
      </Answered>
    </div>
  );
}

/** What tells two readings apart, times aside. */
function fingerprint({ corrupted, standing, stuck, blocked, failures, hooks, holds, unread }: Attention): string {
  return JSON.stringify([
    corrupted?.counts,
    standing?.counts,
    stuck?.total,
    blocked?.groups.map(({ keys, count }) => [keys, count]),
    failures?.causes.map(({ keys, count }) => [keys, count]),
    hooks?.counts,
    holds?.map(({ id }) => id),
    unread,
  ]);
}

function Groups({ attention }: { readonly attention: Attention }): ReactNode {
  const { corrupted, standing, stuck, blocked, failures, hooks, holds, unread } = attention;
  const groups: ReactNode[] = [];
  if (corrupted !== undefined && corrupted.counts.counted > 0) {
    groups.push(
      <Group
        key="corrupted"
        tone="is-corrupted"
        icon="st-corrupted"
        count={corrupted.counts.counted}
        isMore={corrupted.counts.more}
        title={`${are(corrupted.counts.counted)} CORRUPTED: a compensation could not be completed`}
        line={`${namesOf(corrupted.counts.names)}; at ${namesOf(corrupted.counts.nodes)}.`}
        note={
          corrupted.oldest?.completedAt === undefined
            ? undefined
            : `oldest ${agoText(serverNow() - corrupted.oldest.completedAt)}`
        }
        search={{ status: ['CORRUPTED'] }}
        bulk={{ action: 'retry', filter: { status: ['CORRUPTED'] } }}
        button="Retry their undos…"
        isPrimary
      >
        {corrupted.newest !== undefined && <Sample run={corrupted.newest} />}
      </Group>,
    );
  }
  if (standing !== undefined && standing.counts.counted > 0) {
    groups.push(
      <Group
        key="standing"
        tone="is-stands"
        icon="stands"
        count={standing.counts.counted}
        isMore={standing.counts.more}
        title={`${runs(standing.counts.counted)} left effects that stand, and nobody knows whether they happened`}
        line={`${namesOf(standing.counts.names)}; at ${namesOf(standing.counts.nodes)}.`}
        search={standingFilter}
      >
        {standing.newest !== undefined && <Sample run={standing.newest} />}
      </Group>,
    );
  }
  if (stuck !== undefined && stuck.total > 0) {
    groups.push(
      <Group
        key="stuck"
        tone="is-failed"
        icon="clock"
        count={stuck.total}
        isMore={!stuck.isExact}
        title={`${stuck.total === 1 ? 'run is' : 'runs are'} stuck: due, and without a checkpoint for a minute`}
        line="No worker takes them on. Operations shows whether pods, queue and store are well."
        search={{ stuck: ['true'] }}
      />,
    );
  }
  for (const { keys, count } of blocked?.groups.slice(0, maxHosts) ?? []) {
    const host = keys['host'];
    groups.push(
      <Group
        key={`blocked ${host ?? ''}`}
        tone="is-blocked"
        icon="pl-blocked"
        count={count}
        isMore={blocked?.isExact === false}
        title={`${count === 1 ? 'run waits' : 'runs wait'} for ${host ?? 'a host'}: ${count === 1 ? 'its call' : 'their calls'} may not go out now`}
        line="Held back by an operator, by an open circuit, or by calls that take all places. They spend no attempt and go on by themselves."
        search={{ state: ['BLOCKED'], ...(host !== undefined && { host: [host] }) }}
      />,
    );
  }
  if (failures !== undefined && failures.count > 0) {
    groups.push(
      <Group
        key="failures"
        tone="is-failed"
        icon="st-failed"
        count={failures.count}
        isMore={!failures.isExact}
        title={`${runs(failures.count)} failed in the last hour, for ${String(failures.causes.length)} ${failures.causes.length === 1 ? 'cause' : 'causes'}`}
        line=""
        note={`${String(failures.before)} the hour before`}
        search={{ status: ['FAILED'] }}
      >
        <Causes causes={failures.causes} />
      </Group>,
    );
  }
  if (hooks !== undefined && hooks.counts.counted > 0) {
    groups.push(
      <Group
        key="hooks"
        tone="is-other"
        icon="pl-hook"
        count={hooks.counts.counted}
        isMore={hooks.counts.more}
        title={`${runs(hooks.counts.counted)} ended without a delivery of the hook`}
        line={`${namesOf(hooks.counts.names)}.`}
        search={{ hook: ['failed'] }}
        bulk={{ action: 'redeliver', filter: { hook: ['failed'] } }}
        button="Redeliver…"
      />,
    );
  }
  for (const hold of holds ?? []) {
    groups.push(
      <Group
        key={`hold ${hold.id}`}
        tone="is-other"
        icon="a-hold"
        count={hold.waiting}
        title={`${hold.waiting === undefined ? 'Old hold' : hold.waiting === 1 ? 'run waits for an old hold' : 'runs wait for an old hold'} on ${heldText(hold)}`}
        line={`“${hold.reason}”${hold.actor === undefined ? '' : ` by ${hold.actor}`}${hold.until === undefined ? ', no end set' : ''}.`}
        note={hold.createdAt === undefined ? undefined : durationText(serverNow() - hold.createdAt)}
        to="/holds"
      />,
    );
  }
  return (
    <div className="stack">
      {groups.length === 0 ? (
        <div className="empty panel">
          <span className="is-succeeded big-icon">
            <Icon name="st-succeeded" />
          </span>
          <b>Nothing needs you.</b>
          <span>No run is CORRUPTED, nothing is blocked, and nothing failed in the last hour.</span>
        </div>
      ) : (
        groups
      )}
      {unread.length > 0 && (
        <p className="small muted row">
          <Icon name="info" small />
          Not shown, because you may not see it or this server does not know it: {unread.join(', ')}.
        </p>
      )}
    </div>
  );
}

const runs = (count: number): string => (count === 1 ? 'run' : 'runs');
const are = (count: number): string => (count === 1 ? 'run is' : 'runs are');

function namesOf(counts: readonly Count[]): string {
  if (counts.length === 0) return 'none named';
  const first = counts.slice(0, 4).map(({ value, count }) => `${value} (${String(count)})`);
  return `${first.join(', ')}${counts.length > 4 ? ' and others' : ''}`;
}

function Group({
  tone,
  icon,
  count,
  isMore = false,
  title,
  line,
  note,
  search,
  to,
  bulk,
  button,
  isPrimary = false,
  children,
}: {
  readonly tone: string;
  readonly icon: string;
  readonly count: number | undefined;
  readonly isMore?: boolean;
  readonly title: string;
  readonly line: string;
  readonly note?: string | undefined;
  readonly search?: Search;
  readonly to?: '/holds';
  readonly bulk?: Bulk;
  readonly button?: string;
  readonly isPrimary?: boolean;
  readonly children?: ReactNode;
}): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <section className={`panel need ${tone}`} aria-label={title}>
      <span className="need-icon">
        <Icon name={icon} />
      </span>
      <span className="need-count">
        {count}
        {isMore && '+'}
      </span>
      <div className="need-says">
        <h2>{title}</h2>
        {line !== '' && <p className="small muted">{line}</p>}
      </div>
      <span className="small muted nowrap need-note">{note}</span>
      <span className="btns">
        {search !== undefined && (
          <Link className="btn quiet" to="/executions" search={search}>
            List
          </Link>
        )}
        {to !== undefined && (
          <Link className="btn" to={to}>
            Holds
          </Link>
        )}
        {bulk !== undefined && (
          <button
            type="button"
            className={`btn ${isPrimary ? 'primary' : ''}`}
            onClick={() => {
              setOpen(true);
            }}
          >
            <Icon name="a-retry" />
            {button}
          </button>
        )}
      </span>
      {children !== undefined && <div className="need-more">{children}</div>}
      {isOpen && bulk !== undefined && (
        <BulkDialog
          bulk={bulk}
          onClose={() => {
            setOpen(false);
          }}
        />
      )}
    </section>
  );
}

/** The newest run of a group, with the call that went wrong. */
function Sample({ run }: { readonly run: Summary }): ReactNode {
  const { data: calls = [] } = useReading({
    path: `/workflows/${run.id}/steps/calls`,
    parameters: { order: 'desc', limit: 20 },
    read: (json) => (Array.isArray(json) ? json.map(readHistoryRow) : []),
  });
  const call = calls.find(isTrouble);
  return (
    <div className="sample">
      <div className="stack tight">
        <span className="small muted row">
          Newest
          <Link className="link push" to="/executions/$id/$" params={{ id: run.id, _splat: '' }}>
            Open
          </Link>
        </span>
        <span className="row wrap">
          <b>{run.name}</b>
          <span className="faint">{run.version}</span>
          <span className="id">{shortId(run.id)}</span>
        </span>
        <span className="small muted">{run.why?.headline ?? run.failureDescription}</span>
      </div>
      {call !== undefined && (
        <>
          <div className="stack tight">
            <span className="small muted">
              {call.phase === 'DOWN' ? `Undo of ${call.nodeId}` : call.nodeId}, attempt {call.attempt}
            </span>
            <span className="http">
              <b>{call.verb}</b>
              <span>{call.url}</span>
            </span>
          </div>
          <div className="stack tight">
            <span className="row">
              <OutcomeBadge word={call.outcome} />
              <span className="small muted">{call.error ?? call.statusCode}</span>
            </span>
            {call.responseBody !== undefined && (
              <Body body={call.responseBody} isCut={call.isResponseCut} name={`${call.nodeId}-answer.json`} />
            )}
          </div>
        </>
      )}
    </div>
  );
}

function Causes({ causes }: { readonly causes: readonly Cause[] }): ReactNode {
  return (
    <table className="tbl causes">
      <thead>
        <tr>
          <th>Definition</th>
          <th>Failed at</th>
          <th>Reason</th>
          <th className="num">Runs</th>
          <th className="num">Hour before</th>
          <th className="num">Newest</th>
          <th>
            <span className="sr">List</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {causes.slice(0, maxCauses).map(({ keys, count, before, newest, sampleId }) => (
          <tr key={JSON.stringify(keys)}>
            <td>
              <b>{keys['name']}</b> <span className="faint">{keys['version']}</span>
            </td>
            <td>{keys['failedNodeId'] ?? '–'}</td>
            <td>{keys['reason'] ?? '–'}</td>
            <td className="num">{count}</td>
            <td className="num muted">{before}</td>
            <td className="num">
              {sampleId !== undefined && (
                <Link className="link" to="/executions/$id/$" params={{ id: sampleId, _splat: '' }}>
                  {newest === undefined ? shortId(sampleId) : agoText(serverNow() - newest)}
                </Link>
              )}
            </td>
            <td className="num">
              <Link
                className="link"
                to="/executions"
                search={{
                  status: ['FAILED'],
                  ...Object.fromEntries(Object.entries(keys).map(([name, value]) => [name, [value]])),
                }}
              >
                List
              </Link>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
