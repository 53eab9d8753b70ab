import { expect, test } from 'vitest';
import { lenientEscapes } from './escapes.ts';

test.each([
  ['an escape without meaning', '"a\\.b"', '"a.b"'],
  ['in single quotes', "'\\-\\d'", "'-d'"],
  ['an escape with meaning', '"\\n\\t\\\\\\"\\065\\x41\\z"', '"\\n\\t\\\\\\"\\065\\x41\\z"'],
  ['an escaped backslash before a letter', '"\\\\."', '"\\\\."'],
  ['an escaped end of line', '"a\\\nb"', '"a\\\nb"'],
  ['a quote of the other kind', `"'\\."`, `"'."`],
  ['a long string', '[[ "\\." ]] "\\."', '[[ "\\." ]] "."'],
  ['a long string with a level', '[==[ ]] "\\." ]==] "\\."', '[==[ ]] "\\." ]==] "."'],
  ['a comment', '-- "\\.\n"\\."', '-- "\\.\n"."'],
  ['a long comment', '--[[ "\\.\n]] "\\."', '--[[ "\\.\n]] "."'],
  ['an index that is no long string', 't[a["\\."]]', 't[a["."]]'],
  ['a string that does not end', '"\\.', '".'],
  ['a string that ends with its line', '"\\.\n"\\."', '".\n"."'],
  ['a long string that does not end', '[[ "\\."', '[[ "\\."'],
])('needless backslashes are taken out of quoted strings only: %s', (_, source, result) => {
  expect(lenientEscapes(source)).toBe(result);
});
