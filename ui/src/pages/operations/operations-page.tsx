import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTitle } from '../../frame/title.ts';
import { useReading } from '../../api/queries.ts';
import { useReadiness } from '../../frame/readiness.ts';
import { durationText } from '../../platform/times.ts';
import { Icon } from '../../parts/icon.tsx';
import { Answered } from '../../parts/question.tsx';
import { Time } from '../../parts/time.tsx';
import { counted } from '../../parts/words.ts';
import { type Cluster, readCluster } from './cluster.ts';

const everyMillis = 3000;

/** A heartbeat that is older than this is late: pods beat each second or two. */
const lateMillis = 5000;

/** A run that has been due for longer has found no free worker. */
const lateDueMillis = 10_000;

/** Is the machine well, and what holds runs up? */
export function OperationsPage(): ReactNode {
  useTitle('Operations');
  const result = useReading({ path: '/cluster', read: readCluster, everyMillis });
  return (
    <div className="page">
      <div className="page-head">
        <h1>Operations</h1>
        {result.dataUpdatedAt > 0 && (
          <span className="muted">
            as of <Time at={result.dataUpdatedAt} day={false} />
          </span>
        )}
      </div>
      <Answered of={result} what="Reading the cluster">
        {(cluster) => (
          <div className="stack">
            <Cards cluster={cluster} />
            <Pods cluster={cluster} />
            <Circuits cluster={cluster} />
            {cluster.blocked.length > 0 && <Blocked cluster={cluster} />}
          </div>
        )}
      </Answered>
    </div>
  );
}

function Card({
  name,
  isWell,
  says,
  more,
}: {
  readonly name: string;
  readonly isWell: boolean;
  readonly says: string;
  readonly more: string;
}): ReactNode {
  return (
    <div className="well">
      <span className="small muted">{name}</span>
      <b className={isWell ? 'is-succeeded' : 'is-failed'}>
        <Icon name={isWell ? 'st-succeeded' : 'st-failed'} />
        <span>{says}</span>
      </b>
      <span className="small muted">{more}</span>
    </div>
  );
}

function Cards({ cluster }: { readonly cluster: Cluster }): ReactNode {
  const reasons = useReadiness();
  const { pods, redis, database, oldestDueAgeMillis: due, ready, inFlight } = cluster;
  const late = pods.filter(({ heartbeatAgeMillis = 0 }) => heartbeatAgeMillis > lateMillis);
  return (
    <section className="panel wells" aria-label="At a glance">
      <Card
        name="Server"
        isWell={reasons.length === 0}
        says={reasons.length === 0 ? 'ready' : 'not ready'}
        more={reasons.join(', ')}
      />
      {database !== undefined && (
        <Card
          name={database.driver}
          isWell={database.isOk}
          says={database.isOk ? 'answers' : 'does not answer'}
          more={database.latencyMillis === undefined ? '' : durationText(database.latencyMillis)}
        />
      )}
      {redis !== undefined && (
        <Card
          name="Redis"
          isWell={redis.isSafe}
          says={redis.isSafe ? 'keeps everything' : 'may forget'}
          more={redis.policy ?? 'its policy is not known'}
        />
      )}
      <Card
        name="Queue"
        isWell={cluster.hasQueue && (due === undefined || due < lateDueMillis)}
        says={
          !cluster.hasQueue
            ? 'cannot be reached'
            : due === undefined
              ? 'nothing waits'
              : `oldest due ${durationText(due)}`
        }
        more={`${String(ready ?? 0)} ready, ${String(inFlight ?? 0)} in flight`}
      />
      <Card
        name="Pods"
        isWell={late.length === 0}
        says={`${String(pods.length - late.length)} of ${String(pods.length)} in step`}
        more={late.length === 0 ? '' : `${late.map(({ id }) => id).join(', ')}: heartbeat is late`}
      />
    </section>
  );
}

function Pods({ cluster: { pods, shards } }: { readonly cluster: Cluster }): ReactNode {
  return (
    <section className="panel table-panel" aria-label="Pods">
      <div className="panel-head">
        <h2>Pods</h2>
        {shards !== undefined && <span className="small muted">{counted(shards, 'shard')}</span>}
      </div>
      <table className="tbl">
        <thead>
          <tr>
            <th>Pod</th>
            <th>Version</th>
            <th className="num">Heartbeat</th>
            <th className="num">Shards</th>
            <th className="num">Busy workers</th>
            <th>Open circuits</th>
          </tr>
        </thead>
        <tbody>
          {pods.map((pod) => {
            const isLate = (pod.heartbeatAgeMillis ?? 0) > lateMillis;
            return (
              <tr key={pod.id}>
                <td>
                  <b>{pod.id}</b>
                </td>
                <td className="muted">{pod.version}</td>
                <td className={`num ${isLate ? 'is-failed tone-text' : ''}`}>
                  {pod.heartbeatAgeMillis === undefined ? '–' : durationText(pod.heartbeatAgeMillis)}
                  {isLate && ' late'}
                </td>
                <td className="num">{pod.ownedShards ?? '–'}</td>
                <td className="num">
                  {pod.works
                    ? `${String(pod.busyWorkers ?? 0)}${pod.workerCount === undefined ? '' : ` of ${String(pod.workerCount)}`}`
                    : 'API only'}
                </td>
                <td className="muted cut">{pod.openCircuits.length === 0 ? '–' : pod.openCircuits.join(', ')}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Circuits({ cluster: { circuits, pods } }: { readonly cluster: Cluster }): ReactNode {
  return (
    <section className="panel table-panel" aria-label="Circuits">
      <div className="panel-head">
        <h2>Open circuits</h2>
        <span className="small muted">per scheme, host and port; each pod has its own</span>
      </div>
      {circuits.length === 0 ? (
        <p className="panel-body muted row">
          <span className="is-succeeded tone-text">
            <Icon name="st-succeeded" />
          </span>
          No circuit is open.
        </p>
      ) : (
        <table className="tbl">
          <thead>
            <tr>
              <th>Host</th>
              <th>State</th>
              <th>Seen by</th>
              <th className="num">Next probe</th>
              <th>
                <span className="sr">Runs</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {circuits.map(({ host, pods: seen, nextProbeMillis }) => (
              <tr key={host}>
                <td>
                  <code>{host}</code>
                </td>
                <td>
                  <span className="row is-blocked tone-text">
                    <Icon name="pl-blocked" />
                    open
                  </span>
                </td>
                <td>
                  {seen} of {counted(pods.length, 'pod')}
                </td>
                <td className="num">{nextProbeMillis === undefined ? '–' : `in ${durationText(nextProbeMillis)}`}</td>
                <td className="num">
                  <Link className="link" to="/executions" search={{ host: [host.replace(/^[a-z]+:\/\//, '')] }}>
                    Runs
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Blocked({ cluster: { blocked } }: { readonly cluster: Cluster }): ReactNode {
  return (
    <section className="panel table-panel" aria-label="Runs that wait for a host">
      <div className="panel-head">
        <h2>Runs that wait for a host</h2>
      </div>
      <table className="tbl">
        <thead>
          <tr>
            <th>Host</th>
            <th>Why</th>
            <th className="num">Runs</th>
          </tr>
        </thead>
        <tbody>
          {blocked.map(({ host, cause, count }) => (
            <tr key={`${host} ${cause}`}>
              <td>
                <Link className="link" to="/executions" search={{ host: [host] }}>
                  {host}
                </Link>
              </td>
              <td>{cause}</td>
              <td className="num">{count}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
