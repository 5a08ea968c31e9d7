/** The sagas that the demo runs, with an explanation and the expected end of each. */
import type { JsonObject } from '../../core/value/json.ts';

/** One run. */
export interface Story {
  readonly title: string;
  /** What happens here and why, in a sentence or two. */
  readonly meaning: string;
  /** A file beside this one: `sagas/<name>.json`. */
  readonly definition: 'order' | 'approval' | 'trip' | 'trial';
  /** The id of this run's effects in the services. */
  readonly id: string;
  readonly payload: JsonObject;
  /** A person's action once the run has this status. */
  readonly act?: { readonly once: 'SLEEPING' | 'WAITING_CALLBACK'; readonly request: 'wake' | 'cancel' };
  readonly ends: {
    readonly status: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
    /** All calls in the order of the answers, as `<node>:<phase>`. */
    readonly calls: readonly string[];
    /** Whether the order of the calls is random. */
    readonly isParallel?: true;
    /** The effects that the services hold in the end, in any order, without the id. */
    readonly stands: readonly string[];
  };
}

const address = '1 Harbour Street';

/** The stories in the order of the demo. */
export const stories: readonly Story[] = [
  {
    title: 'Everything goes well',
    meaning: 'Three steps in a row. The result of each is on disk before the next is called.',
    definition: 'order',
    id: 'A-1',
    payload: { order: 'A-1', item: 'lamp', amount: 49.9, card: 'good', address },
    ends: {
      status: 'SUCCEEDED',
      calls: ['reserve:UP', 'pay:UP', 'ship:UP'],
      stands: ['stock', 'payments', 'shipments'],
    },
  },
  {
    title: 'A step fails, and what was done is undone',
    meaning: 'The carrier refuses the address: a firm no is not retried. The compensations run in reverse order.',
    definition: 'order',
    id: 'A-2',
    payload: { order: 'A-2', item: 'lamp', amount: 49.9, card: 'good', address: 'nowhere' },
    ends: {
      status: 'FAILED',
      calls: ['reserve:UP', 'pay:UP', 'ship:UP', 'pay:DOWN', 'reserve:DOWN'],
      stands: [],
    },
  },
  {
    title: 'A busy service is tried again',
    meaning: 'The stock service answers 503 twice. All attempts carry the same Idempotency-Key.',
    definition: 'order',
    id: 'A-3',
    payload: { order: 'A-3', item: 'popular', amount: 12.5, card: 'good', address },
    ends: {
      status: 'SUCCEEDED',
      calls: ['reserve:UP', 'reserve:UP', 'reserve:UP', 'pay:UP', 'ship:UP'],
      stands: ['stock', 'payments', 'shipments'],
    },
  },
  {
    title: 'A payment with an unknown outcome',
    meaning:
      'The payment service takes the money but never answers. An unknown outcome is no failure: it is undone like a success.',
    definition: 'order',
    id: 'A-4',
    payload: { order: 'A-4', item: 'lamp', amount: 49.9, card: 'no answer', address },
    ends: {
      status: 'FAILED',
      calls: ['reserve:UP', 'pay:UP', 'pay:UP', 'pay:DOWN', 'reserve:DOWN'],
      stands: [],
    },
  },
  {
    title: 'A person answers later',
    meaning:
      'The request is accepted (202) and carries a signed URL. The answer comes to that URL; a switch looks at it.',
    definition: 'approval',
    id: 'R-1',
    payload: { request: 'R-1', amount: 980, approver: 'Ada' },
    ends: { status: 'SUCCEEDED', calls: ['ask:UP', 'buy:UP'], stands: ['approvals', 'purchases'] },
  },
  {
    title: 'A run is cancelled while it waits',
    meaning: 'No answer comes, so the run is cancelled. The request may have had an effect: it is withdrawn.',
    definition: 'approval',
    id: 'R-2',
    payload: { request: 'R-2', amount: 980, approver: 'nobody' },
    act: { once: 'WAITING_CALLBACK', request: 'cancel' },
    ends: { status: 'CANCELLED', calls: ['ask:UP', 'ask:DOWN'], stands: [] },
  },
  {
    title: 'Three branches at the same time, one of them slow',
    meaning: 'Flight, hotel and car are booked in parallel; the join waits for the hotel.',
    definition: 'trip',
    id: 'T-1',
    payload: { trip: 'T-1', to: 'Lisbon' },
    ends: {
      status: 'SUCCEEDED',
      calls: ['flight:UP', 'car:UP', 'hotel:UP', 'confirm:UP'],
      isParallel: true,
      stands: ['flights', 'cars', 'hotels', 'trips'],
    },
  },
  {
    title: 'A sleep of fourteen days is ended early',
    meaning: 'A sleeping run costs nothing but a row in the store. Here it is woken through the API.',
    definition: 'trial',
    id: 'U-1',
    payload: { account: 'U-1', price: 9.99 },
    act: { once: 'SLEEPING', request: 'wake' },
    ends: { status: 'SUCCEEDED', calls: ['open:UP', 'charge:UP'], stands: ['accounts', 'payments'] },
  },
];
