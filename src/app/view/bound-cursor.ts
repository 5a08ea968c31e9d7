import { createHash } from 'node:crypto';
import { BadCursor } from '../../ports/store.ts';

/** Characters of the mark. Two filters of one caller that share it would only let a wrong cursor pass. */
const markLength = 8;

/**
 * Cursors of a list that belong to a filter and an order: with others, a cursor is refused instead of continuing another list. `key`
 * describes filter and order; it is empty for those of the list without parameters, whose cursors have no mark.
 */
export class BoundCursor {
  readonly #mark: string;

  constructor(key: string) {
    this.#mark = key === '' ? '' : `${createHash('sha256').update(key).digest('base64url').slice(0, markLength)}.`;
  }

  /** The cursor for clients. */
  bind(cursor: string): string {
    return this.#mark + cursor;
  }

  /**
   * The cursor of the store.
   *
   * @throws BadCursor if it belongs to another filter or order.
   */
  unbind(cursor: string): string {
    const mark = cursor.includes('.') ? cursor.slice(0, cursor.indexOf('.') + 1) : '';
    if (mark !== this.#mark) throw new BadCursor('The cursor belongs to a list with another filter or order.');
    return cursor.slice(mark.length);
  }
}
