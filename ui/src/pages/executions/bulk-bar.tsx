import { type ReactNode, useState } from 'react';
import type { Search } from '../../platform/search.ts';
import { type Bulk, BulkDialog } from '../../parts/bulk-dialog.tsx';
import { Icon } from '../../parts/icon.tsx';

const actions = [
  { action: 'retry', text: 'Retry', icon: 'a-retry' },
  { action: 'cancel', text: 'Cancel', icon: 'a-cancel' },
  { action: 'wake', text: 'Wake', icon: 'a-wake' },
  { action: 'terminate', text: 'Terminate', icon: 'a-terminate' },
] as const;

/** Changes of the selected runs, or of all that match the filter. Each is counted and shown before it is made. */
export function BulkBar({
  checked,
  filter,
  isAll,
  onAll,
  onClear,
}: {
  readonly checked: ReadonlySet<string>;
  readonly filter: Search;
  /** Whether all that match are meant, not only the selected rows. */
  readonly isAll: boolean;
  readonly onAll: () => void;
  readonly onClear: () => void;
}): ReactNode {
  const [bulk, setBulk] = useState<Bulk>();
  const of: Omit<Bulk, 'action'> = isAll ? { filter } : { ids: [...checked] };
  return (
    <div className="bulk" role="region" aria-label="Selected runs">
      <b>{isAll ? 'All that match' : `${String(checked.size)} selected`}</b>
      {!isAll && (
        <button type="button" className="link-button link" onClick={onAll}>
          or all that match the filter
        </button>
      )}
      <span className="btns push wrap">
        {actions.map(({ action, text, icon }) => (
          <button
            key={action}
            type="button"
            className={`btn ${action === 'terminate' ? 'danger-quiet' : ''}`}
            onClick={() => {
              setBulk({ action, ...of });
            }}
          >
            <Icon name={icon} />
            {text} {isAll ? 'all' : checked.size}…
          </button>
        ))}
        <button type="button" className="btn quiet icon" aria-label="Clear the selection" onClick={onClear}>
          <Icon name="close" />
        </button>
      </span>
      {bulk !== undefined && (
        <BulkDialog
          bulk={bulk}
          onClose={() => {
            setBulk(undefined);
          }}
        />
      )}
    </div>
  );
}
