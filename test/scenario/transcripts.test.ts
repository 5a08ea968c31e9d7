import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Transcripts, transcripts } from './transcripts.ts';

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'transcripts.json'), 'utf8')) as Transcripts;

describe('definitions do what they did', () => {
  const now = transcripts();

  it.each(Object.keys(recorded))('%s', (name) => {
    expect(now[name]).toEqual(recorded[name]);
  });

  it('in many cases', () => {
    expect(Object.values(recorded).flatMap((cases) => Object.keys(cases)).length).toBeGreaterThan(400);
  });
});
