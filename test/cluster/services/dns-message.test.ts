import { expect, test } from 'vitest';
import { answerTo, readQuestion, TYPE_A } from './dns-message.ts';

/** A query for web.shop.svc, type A, as glibc sends it (recursion desired). */
const QUERY = Buffer.from(
  '1234' + '0100' + '0001' + '000000000000' + '03576562' + '0473686f70' + '03737663' + '00' + '0001' + '0001',
  'hex',
);

test('a query gives its name in lower case, its type and its id', () => {
  expect(readQuestion(QUERY)).toEqual({ id: 0x1234, name: 'web.shop.svc', type: TYPE_A, end: QUERY.length });
});

test('an answer repeats the question and holds each address', () => {
  const answer = answerTo(QUERY, readQuestion(QUERY), ['10.96.1.2', '10.96.1.3']);
  const record = (last: string): string => `c00c000100010000000100040a6001${last}`;
  const question = QUERY.subarray(12).toString('hex');
  expect(answer.toString('hex')).toBe(`123485800001000200000000${question}${record('02')}${record('03')}`);
});

test('an unknown name is no such name, a known one without addresses is an empty answer', () => {
  const question = readQuestion(QUERY);
  expect(answerTo(QUERY, question, undefined).readUInt16BE(2) & 0xf).toBe(3);
  expect(answerTo(QUERY, question, []).readUInt16BE(2) & 0xf).toBe(0);
});

test('a message that is cut off is an error', () => {
  expect(() => readQuestion(QUERY.subarray(0, 20))).toThrow(RangeError);
});
