/** What one chooses at the top of the dashboard: where the data is, and which definitions are shown. */

/** The source of every query. */
export const datasource = { type: 'prometheus', uid: '${datasource}' };

/** In the order in which they are shown. */
export const variables: readonly object[] = [
  { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', current: {} },
  {
    name: 'definition',
    label: 'Definition',
    type: 'query',
    datasource,
    query: { query: 'label_values(saga_enqueue_total, saga_name)', refId: 'definitions' },
    refresh: 2,
    sort: 1,
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  },
];
