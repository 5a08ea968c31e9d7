import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueHeap, type HeapItem } from '../../src/queue/memory/due-heap.ts';
import { MemoryQueueHub } from '../../src/queue/memory/memory-queue.ts';
import { VirtualClock } from '../../simulator/virtual-clock.ts';
import { describeQueue } from './queue-contract.ts';

describeQueue('the queue in memory', () => {
  const clock = new VirtualClock();
  const hub = new MemoryQueueHub(clock);
  return Promise.resolve({
    connect: (processId) => hub.connect(processId),
    now: () => clock.now(),
    pass: (millis) => clock.advance(millis),
    close: () => {
      expect(clock.pending).toBe(0);
      return Promise.resolve();
    },
  });
});

describe('the heap of due times', () => {
  it('gives items in order after any pushes, moves and removals', () => {
    const step = fc.tuple(fc.constantFrom('push', 'move', 'remove', 'pop'), fc.nat(20), fc.nat(50));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const heap = new DueHeap<HeapItem>();
        const model: HeapItem[] = [];
        const earliest = () => model.toSorted((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
        for (const [what, which, dueAt] of steps) {
          const known = model[which % Math.max(1, model.length)];
          if (what === 'push') {
            const item = { dueAt, order: 0, place: -1 };
            heap.push(item);
            model.push(item);
          } else if (what === 'pop') {
            const expected = earliest();
            expect(heap.pop()).toBe(expected);
            if (expected !== undefined) model.splice(model.indexOf(expected), 1);
          } else if (known !== undefined) {
            if (what === 'move') heap.move(known, dueAt);
            else {
              heap.remove(known);
              model.splice(model.indexOf(known), 1);
            }
          }
          expect(heap.first).toBe(earliest());
          expect(heap.size).toBe(model.length);
        }
      }),
    );
  });
});
