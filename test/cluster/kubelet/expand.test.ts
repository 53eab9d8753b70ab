import { expect, test } from 'vitest';
import { expand } from './expand.ts';

test.each([
  ['$(A)-$(B)', '1-2'],
  ['$(C) stays, as the API documents', '$(C) stays, as the API documents'],
  ['$$(A) is not replaced', '$(A) is not replaced'],
  ['$A and $ stay', '$A and $ stay'],
  ['$(toString)', '$(toString)'],
])('%j becomes %j', (text, expected) => {
  expect(expand(text, { A: '1', B: '2' })).toBe(expected);
});
