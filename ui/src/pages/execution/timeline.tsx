import { type CSSProperties, type ReactNode, useMemo, useState } from 'react';
import type { Execution } from '../../api/executions.ts';
import type { TimelineRow } from '../../api/timeline.ts';
import { zoneSetting } from '../../platform/settings.ts';
import { useStore } from '../../platform/store.ts';
import { dayOf, durationText, timeOfDay, zoneName } from '../../platform/times.ts';
import { Icon } from '../../parts/icon.tsx';
import { outcomeLook, stateLook } from '../../parts/words.ts';
import type { NodeView } from './node-views.ts';
import { orderClass } from './undo-order.ts';
import { axisOf, type Axis, type Bar, type Lane, timelineOf } from './timeline-model.ts';

/** Custom properties of a style. */
const at = (values: Readonly<Record<string, number>>): CSSProperties =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`--${name}`, value]));

const legend = [
  ['ok', 'succeeded'],
  ['rejected', 'rejected'],
  ['unknown', 'unknown'],
  ['backoff', 'backoff'],
  ['blocked', 'blocked'],
  ['callback', 'callback'],
  ['undo-ok', 'undo'],
] as const;

const back: ReadonlySet<Bar['kind']> = new Set(['undo-ok', 'undo-bad', 'undo-wait']);
const trouble: ReadonlySet<Bar['kind']> = new Set(['rejected', 'unknown', 'unsent', 'undo-bad', 'blocked', 'other']);

/** How long everything took and waited: a lane for each node, idle gaps collapsed and said. */
export function Timeline({
  run,
  rows,
  now,
  views,
  notReached,
  picked,
  pickedCall,
  onPickNode,
  onPickCall,
}: {
  readonly run: Execution;
  readonly rows: readonly TimelineRow[];
  readonly now: number;
  readonly views: ReadonlyMap<string, NodeView>;
  /** Nodes of the definition that the run has not reached. */
  readonly notReached: readonly string[];
  readonly picked: string | undefined;
  readonly pickedCall: string | undefined;
  readonly onPickNode: (nodeId: string) => void;
  readonly onPickCall: (callId: string) => void;
}): ReactNode {
  const zone = useStore(zoneSetting);
  const [isCollapsing, setCollapsing] = useState(true);
  const [onlyTrouble, setOnlyTrouble] = useState(false);
  const isOpen = run.completedAt === undefined;
  const until = isOpen ? now : 0;
  const model = useMemo(() => timelineOf(rows, until), [rows, until]);
  const axis = useMemo(() => axisOf(model, isCollapsing), [model, isCollapsing]);
  const isShown = ({ bars }: Lane): boolean => !onlyTrouble || bars.some(({ kind }) => trouble.has(kind));
  return (
    <section className="panel timeline-panel" aria-label="Timeline">
      <div className="panel-head">
        <h2>Timeline</h2>
        <div className="seg small push" role="group" aria-label="Rows">
          {[false, true].map((only) => (
            <button
              key={String(only)}
              type="button"
              aria-pressed={onlyTrouble === only}
              onClick={() => {
                setOnlyTrouble(only);
              }}
            >
              {only ? 'Failed and unknown' : 'All'}
            </button>
          ))}
        </div>
        <button
          type="button"
          className="btn quiet small"
          aria-pressed={isCollapsing}
          onClick={() => {
            setCollapsing(!isCollapsing);
          }}
        >
          {isCollapsing && <Icon name="check" small />}
          Gaps collapsed
        </button>
      </div>
      <div className="tl-scroll" tabIndex={0} role="group" aria-label="Lanes">
        <div className="tl">
          <div className="tl-corner">
            {zoneName(zone)}, {dayOf(model.from, zone)}
          </div>
          <AxisMarks axis={axis} zone={zone} />
          {model.rounds.map(({ round, lanes, turnedAt }) => (
            <RoundLanes key={round} round={round} isAlone={model.rounds.length === 1}>
              {lanes.filter(isShown).map((lane) => (
                <LaneRow
                  key={lane.nodeId}
                  lane={lane}
                  axis={axis}
                  view={round === run.round ? views.get(lane.nodeId) : undefined}
                  turnedAt={turnedAt}
                  isPicked={lane.nodeId === picked}
                  pickedCall={pickedCall}
                  onPickNode={onPickNode}
                  onPickCall={onPickCall}
                />
              ))}
            </RoundLanes>
          ))}
          {!onlyTrouble &&
            notReached.slice(0, 20).map((nodeId) => (
              <div key={nodeId} className="tl-row">
                <div className="tl-name not">
                  <Icon name="k-task" />
                  <span className="cut">{nodeId}</span>
                </div>
                <div className="tl-track">
                  <span className="bar-note" style={at({ l: 0 })}>
                    not reached
                  </span>
                </div>
              </div>
            ))}
        </div>
      </div>
      <div className="key tl-key" aria-hidden="true">
        {legend.map(([kind, text]) => (
          <span key={kind}>
            <i>
              <i className={`bar ${kind}`} />
            </i>
            {text}
          </span>
        ))}
      </div>
    </section>
  );
}

function RoundLanes({
  round,
  isAlone,
  children,
}: {
  readonly round: number;
  readonly isAlone: boolean;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <>
      {!isAlone && <div className="tl-section">Round {round}</div>}
      {children}
    </>
  );
}

const minuteMillis = 60_000;

/** Least distance between two marks, in per cent: a time has room there. */
const minMarkDistance = 11;

/** The stretches whose begin is named: those that leave room for the name. */
function marksOf({ stretches }: Axis): readonly (Axis['stretches'][number] & { readonly isFirst: boolean })[] {
  let last = -Infinity;
  return stretches.flatMap((stretch, index) => {
    if (!stretch.isGap && stretch.left - last < minMarkDistance) return [];
    last = stretch.isGap ? stretch.left + stretch.width - minMarkDistance : stretch.left;
    return [{ ...stretch, isFirst: index === 0 }];
  });
}

/** Times on the axis: the begin of each stretch, and the length of each collapsed gap. */
function AxisMarks({ axis, zone }: { readonly axis: Axis; readonly zone: 'utc' | 'local' }): ReactNode {
  const begin = axis.stretches[0]?.from ?? 0;
  return (
    <div className="tl-axis">
      {marksOf(axis).map(({ from, to, left, width, isGap, isFirst }) =>
        isGap ? (
          <b
            key={`gap ${String(from)}`}
            className="tl-gap-note"
            style={at({ l: left, w: width })}
            title={`${durationText(to - from)} without a call`}
          >
            {durationText(to - from)}
          </b>
        ) : (
          <span key={from} style={at({ l: left })}>
            {isFirst || from - begin >= minuteMillis ? timeOfDay(from, zone) : `+${durationText(from - begin)}`}
          </span>
        ),
      )}
    </div>
  );
}

function LaneRow({
  lane,
  axis,
  view,
  turnedAt,
  isPicked,
  pickedCall,
  onPickNode,
  onPickCall,
}: {
  readonly lane: Lane;
  readonly axis: Axis;
  readonly view: NodeView | undefined;
  readonly turnedAt: number | undefined;
  readonly isPicked: boolean;
  readonly pickedCall: string | undefined;
  readonly onPickNode: (nodeId: string) => void;
  readonly onPickCall: (callId: string) => void;
}): ReactNode {
  const hasBack = lane.bars.some(({ kind }) => back.has(kind));
  const look =
    view?.place !== undefined
      ? stateLook(view.place.state)
      : view?.outcome !== undefined
        ? outcomeLook(view.outcome)
        : { icon: 'pl-hook', tone: '' };
  const ends = (isBack: boolean): number =>
    Math.max(0, ...lane.bars.filter(({ kind }) => back.has(kind) === isBack).map(({ to }) => axis.at(to)));
  const pickedClass = isPicked ? ' is-picked' : '';
  return (
    <div className="tl-row">
      <button
        type="button"
        className={`tl-name ${look.tone}${pickedClass}`}
        onClick={() => {
          onPickNode(lane.nodeId);
        }}
      >
        <Icon name={look.icon} />
        <span className="cut">{lane.nodeId}</span>
        {view?.undo !== undefined && (
          <span className={`order push ${orderClass[view.undo.state]}`}>{view.undo.order}</span>
        )}
      </button>
      <div className={`tl-track${hasBack ? ' two' : ''}${pickedClass}`}>
        {turnedAt !== undefined && <span className="tl-after" style={at({ l: axis.at(turnedAt) })} />}
        {axis.stretches
          .filter(({ isGap }) => isGap)
          .map(({ from, left, width }) => (
            <span key={from} className="tl-gap" style={at({ l: left, w: width })} />
          ))}
        {lane.bars.map((bar) => (
          <BarMark
            key={`${bar.kind} ${String(bar.from)} ${bar.callId ?? ''}`}
            bar={bar}
            axis={axis}
            isPicked={bar.callId !== undefined && bar.callId === pickedCall}
            onPickCall={onPickCall}
          />
        ))}
        {lane.note !== '' && (
          <span className="bar-note" style={at({ l: ends(false) })}>
            {lane.note}
          </span>
        )}
        {hasBack && (
          <span className="bar-note down" style={at({ l: ends(true) })}>
            {lane.undoNote}
          </span>
        )}
      </div>
    </div>
  );
}

function BarMark({
  bar,
  axis,
  isPicked,
  onPickCall,
}: {
  readonly bar: Bar;
  readonly axis: Axis;
  readonly isPicked: boolean;
  readonly onPickCall: (callId: string) => void;
}): ReactNode {
  const { kind, from, to, callId, text } = bar;
  const left = axis.at(from);
  const style = at({ l: left, w: Math.max(0, axis.at(to) - left) });
  const words = `${text}, ${durationText(to - from)}`;
  const className = `bar ${kind === 'other' ? 'unsent' : kind}${isPicked ? ' is-picked' : ''}`;
  if (callId === undefined)
    return <i className={className} style={style} title={words} role="img" aria-label={words} />;
  return (
    <button
      type="button"
      className={className}
      style={style}
      title={words}
      aria-label={words}
      onClick={() => {
        onPickCall(callId);
      }}
    />
  );
}
