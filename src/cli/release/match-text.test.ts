import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { matchText } from './match-text.ts';

const header = (value: string, type?: string) => ({ name: 'version', value, ...(type === undefined ? {} : { type }) });

test.each<[string, JsonMap, string]>([
  ['a header', { headers: [header('canary')] }, 'header version=canary'],
  ['an expression', { headers: [header('^c', 'RegularExpression')] }, 'header version~^c'],
  [
    'several conditions',
    { headers: [header('a')], queryParams: [header('b')], cookies: [header('c')] },
    'header version=a and query version=b and cookie version=c',
  ],
  ['a path without a type', { path: { value: '/cart' } }, 'path /cart*'],
  ['an exact path', { path: { type: 'Exact', value: '/cart' } }, 'path /cart'],
  ['an expression of paths', { path: { type: 'RegularExpression', value: '/c.*' } }, 'path ~/c.*'],
  ['a method as it is written', { method: 'GET' }, 'method=GET'],
  ['a method as scripts get it', { method: { type: 'Exact', value: 'GET' } }, 'method=GET'],
  [
    'what must not be',
    { path: { value: '/' }, without: { headers: [header('x')] } },
    'path /* and not header version=x',
  ],
  ['words', { expression: 'header("a") == "b"' }, 'header("a") == "b"'],
  ['nothing', {}, 'anything'],
])('a match is told in words: %s', (_, match, text) => {
  expect(matchText(match)).toBe(text);
});
