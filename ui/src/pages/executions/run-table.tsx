import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useRef } from 'react';
import type { Summary } from '../../api/executions.ts';
import { phoneQuery, useMatches } from '../../platform/media.ts';
import { durationText } from '../../platform/times.ts';
import { Status } from '../../parts/status.tsx';
import { Time, ZoneName } from '../../parts/time.tsx';
import { isOver, shortId } from '../../parts/words.ts';
import { StandsAt } from './place.tsx';

/** Height of a row in pixels: `--row` of the tokens. */
const rowHeight = 32;
/** On the phone a row has two lines. */
const phoneRowHeight = 56;
const headHeight = 28;

const columns = ['Status', 'Definition', 'Id', 'Where it stands', 'Reason', 'Took'] as const;

/**
 * The rows that are in sight, and a few around them, of a list of any length. Each row holds one link to its run; a press
 * elsewhere in the row shows the preview.
 */
export function RunTable({
  runs,
  now,
  shown,
  checked,
  onShow,
  onCheck,
  onEnd,
}: {
  readonly runs: readonly Summary[];
  readonly now: number;
  /** The run in the preview. */
  readonly shown: string | undefined;
  readonly checked: ReadonlySet<string>;
  readonly onShow: (id: string) => void;
  readonly onCheck: (id: string) => void;
  /** Called when the last rows come into sight. */
  readonly onEnd: () => void;
}): ReactNode {
  const ref = useRef<HTMLDivElement>(null);
  const isPhone = useMatches(phoneQuery);
  const height = isPhone ? phoneRowHeight : rowHeight;
  const virtual = useVirtualizer({
    count: runs.length,
    getScrollElement: () => ref.current,
    estimateSize: () => height,
    scrollMargin: isPhone ? 0 : headHeight,
    scrollPaddingStart: isPhone ? 0 : headHeight,
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (runs.length > 0 && last >= runs.length - 5) onEnd();
  }, [last, runs.length, onEnd]);
  const index = runs.findIndex(({ id }) => id === shown);
  useEffect(() => {
    if (index >= 0) virtual.scrollToIndex(index);
    // Only another choice scrolls; rows that arrive do not.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [shown]);
  return (
    <div
      ref={ref}
      role="table"
      aria-label="Executions"
      aria-rowcount={runs.length + 1}
      className="runs"
      // A region that scrolls must be reached by the keyboard.
      tabIndex={0}
    >
      <div role="rowgroup" className="runs-head-group">
        <div role="row" className="runs-head" aria-rowindex={1}>
          <span role="columnheader" aria-label="Selected" />
          {columns.map((name) => (
            <span key={name} role="columnheader" className={`c-${name.toLowerCase().replaceAll(' ', '-')}`}>
              {name}
            </span>
          ))}
          <span role="columnheader" className="c-started">
            Started, <ZoneName />
          </span>
        </div>
      </div>
      <div className="runs-all" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index: at, start }) => {
          const run = runs[at];
          if (run === undefined) return null;
          return (
            <Row
              key={run.id}
              run={run}
              now={now}
              at={at}
              start={start - (isPhone ? 0 : headHeight)}
              isShown={run.id === shown}
              isChecked={checked.has(run.id)}
              onShow={onShow}
              onCheck={onCheck}
            />
          );
        })}
      </div>
    </div>
  );
}

function Row({
  run,
  now,
  at,
  start,
  isShown,
  isChecked,
  onShow,
  onCheck,
}: {
  readonly run: Summary;
  readonly now: number;
  readonly at: number;
  readonly start: number;
  readonly isShown: boolean;
  readonly isChecked: boolean;
  readonly onShow: (id: string) => void;
  readonly onCheck: (id: string) => void;
}): ReactNode {
  const { id, name, version, status, reason, startedAt } = run;
  const took = run.durationMillis ?? (startedAt === undefined || isOver(run) ? undefined : now - startedAt);
  return (
    // The keyboard chooses rows with j and k, and each row holds a link.
    <div
      role="row"
      aria-rowindex={at + 2}
      className={`runs-row${isShown ? ' is-shown' : ''}${isChecked ? ' is-checked' : ''}`}
      style={{ transform: `translateY(${String(start)}px)` }}
      onClick={(event) => {
        if (event.target instanceof Element && event.target.closest('a, input, button') === null) onShow(id);
      }}
    >
      <span role="cell">
        <input
          type="checkbox"
          aria-label={`Select ${shortId(id)}`}
          checked={isChecked}
          onChange={() => {
            onCheck(id);
          }}
        />
      </span>
      <span role="cell" className="c-status small">
        <Status word={status} />
      </span>
      <span role="cell" className="c-definition cut" title={`${name} ${version}`}>
        {name} <span className="faint">{version}</span>
      </span>
      <span role="cell" className="c-id">
        <Link className="id link" to="/executions/$id/$" params={{ id, _splat: '' }} title={id}>
          {shortId(id)}
        </Link>
      </span>
      <span role="cell" className="c-where-it-stands">
        <StandsAt run={run} now={now} />
      </span>
      <span role="cell" className="c-reason cut muted">
        {reason ?? ''}
      </span>
      <span role="cell" className="c-took num">
        {took === undefined ? '' : durationText(took)}
      </span>
      <span role="cell" className="c-started num">
        {startedAt !== undefined && <Time at={startedAt} zoned={false} />}
      </span>
    </div>
  );
}
