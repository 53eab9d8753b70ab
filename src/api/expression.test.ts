import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, type Json } from '../json/value.ts';
import type { Condition, Operand, Operator, Test } from './condition.ts';
import { parseExpression } from './expression.ts';
import { conditionTerms } from './matches.ts';
import { quoteRegex, regexError } from './regex.ts';
import { ConditionError, countTerms, isUnder, type Match, type Tests, toTerms } from './terms.ts';
import { ExpressionError } from './tokens.ts';

const terms = (expression: string, fields: Record<string, Json> = {}) => {
  const { matches, violations } = conditionTerms([{ ...fields, expression }], ['matches']);
  expect(violations).toEqual([]);
  return matches;
};
const header = (value: string, type = 'Exact', name = 'a') => ({ type, name, value });

test.each<[string, Json]>([
  [
    '(header("x-userid") regex "^[0-9]+3$")',
    [{ headers: [{ type: 'RegularExpression', name: 'x-userid', value: '^[0-9]+3$' }] }],
  ],
  ['header("a") == "1"', [{ headers: [header('1')] }]],
  ['cookie("a") == "1" and query("a") == "2"', [{ queryParams: [header('2')], cookies: [header('1')] }]],
  ['method == "GET"', [{ method: { type: 'Exact', value: 'GET' } }]],
  [
    'method in ("GET", "HEAD")',
    [{ method: { type: 'Exact', value: 'GET' } }, { method: { type: 'Exact', value: 'HEAD' } }],
  ],
  ['path prefix "/a"', [{ path: { type: 'PathPrefix', value: '/a' } }]],
  [
    'path regex "/a.*" or path == "/b"',
    [{ path: { type: 'RegularExpression', value: '/a.*' } }, { path: { type: 'Exact', value: '/b' } }],
  ],
  ['header("a") prefix "b.c"', [{ headers: [header('^b\\.c.*', 'RegularExpression')] }]],
  ['header("a") != "1"', [{ without: { headers: [header('1')] } }]],
  ['not header("a") == "1"', [{ without: { headers: [header('1')] } }]],
  ['not not header("a") == "1"', [{ headers: [header('1')] }]],
  ['not header("a") in ("1", "2")', [{ without: { headers: [header('1'), header('2')] } }]],
  ['header("a") in ("1", "1")', [{ headers: [header('1')] }]],
  ['header("a") == "1" or header("a") == "1"', [{ headers: [header('1')] }]],
  ['not (header("a") == "1" or cookie("a") == "2")', [{ without: { headers: [header('1')], cookies: [header('2')] } }]],
  [
    'not (header("a") == "1" and cookie("a") == "2")',
    [{ without: { headers: [header('1')] } }, { without: { cookies: [header('2')] } }],
  ],
  [
    'header("a") == "1" and (path == "/x" or path == "/y")',
    [
      { headers: [header('1')], path: { type: 'Exact', value: '/x' } },
      { headers: [header('1')], path: { type: 'Exact', value: '/y' } },
    ],
  ],
  [
    'header("a") == "1" or header("a") == "2" and path == "/x"',
    [{ headers: [header('1')] }, { headers: [header('2')], path: { type: 'Exact', value: '/x' } }],
  ],
  [
    'path != "/a" and not path prefix "/b.c/"',
    [{ without: { path: { type: 'RegularExpression', value: '^(?:/a|/b\\.c(?:/.*)?)$' } } }],
  ],
  ['path prefix "/a" and path prefix "/a/b" and path != "/c"', [{ path: { type: 'PathPrefix', value: '/a/b' } }]],
  ['path == "/a/b" and path prefix "/a"', [{ path: { type: 'Exact', value: '/a/b' } }]],
  ['header("a") == "1" and header("A") != "2"', [{ headers: [header('1')] }]],
  ['header("a") == "\\"q\\\\u\\u00e9"', [{ headers: [header('"q\\ué')] }]],
  ['\n header("a")\t==\n"1"', [{ headers: [header('1')] }]],
  ['header("a") == "and" and header("not") == "or"', [{ headers: [header('and'), header('or', 'Exact', 'not')] }]],
])('%s', (expression, expected) => {
  expect(terms(expression)).toEqual(expected);
});

test('an expression and the other fields of its entry hold together; entries are alternatives, in the order given', () => {
  const { matches, violations } = conditionTerms([
    {
      headers: [{ name: 'x', value: '1' }],
      path: { value: '/p' },
      method: 'GET',
      expression: 'cookie("c") in ("1", "2")',
    },
    { queryParams: [{ name: 'q', type: 'RegularExpression', value: 'a+' }] },
    { path: {} },
  ]);
  expect(violations).toEqual([]);
  const common = {
    path: { type: 'PathPrefix', value: '/p' },
    headers: [header('1', 'Exact', 'x')],
    method: { type: 'Exact', value: 'GET' },
  };
  expect(matches).toEqual([
    { ...common, cookies: [header('1', 'Exact', 'c')] },
    { ...common, cookies: [header('2', 'Exact', 'c')] },
    { queryParams: [header('a+', 'RegularExpression', 'q')] },
    { path: { type: 'PathPrefix', value: '/' } },
  ]);
});

test.each([
  ['', 1, 'expected header("…"), cookie("…"), query("…"), path, method, not or (, found the end'],
  ['header("a") = "1"', 13, 'write == to compare'],
  ['header("a") == \'1\'', 16, 'texts stand in double quotes; write " instead of \''],
  ['header("a") == "1" && path == "/"', 20, 'write and instead of &'],
  ['header("a") == "1" AND path == "/"', 20, 'expected and, or, or the end, found AND (write and)'],
  ['!path == "/"', 1, 'write not instead of !'],
  ['header("a") ~ "1"', 13, 'write regex for a regular expression'],
  ['header("a") matches "1"', 13, 'expected an operator (==, !=, regex, prefix, in), found matches'],
  ['header(a) == "1"', 8, 'expected the name of the header in double quotes, found a'],
  ['header("a b") == "1"', 8, '"a b" cannot be the name of a header'],
  ['header("") == "1"', 8, '"" cannot be the name of a header'],
  ['header("a" == "1"', 12, 'expected ), found =='],
  ['(path == "/a"', 14, 'expected ), found the end'],
  ['path == "/a")', 13, 'expected and, or, or the end, found )'],
  ['path in "/a"', 9, 'expected (, found /a'],
  ['path in ()', 10, 'expected a text in double quotes, found )'],
  ['path == "a"', 9, 'a path starts with /; write "/a"'],
  ['path == ""', 9, 'an empty text cannot be matched; write what to compare with'],
  [
    'method == "get"',
    11,
    '"get" is no HTTP method; write GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH',
  ],
  [
    'header("a") regex "(?=b)"',
    19,
    'invalid or unsupported Perl syntax: `(?=` (gateways run RE2: no look-around, no back-references)',
  ],
  ['header("a") == "\\d"', 17, 'there is no escape \\d; write \\\\d for a backslash'],
  ['header("a") == "b\nc"', 18, 'control characters cannot be matched'],
  ['header("a") == "\\u000a"', 17, 'control characters cannot be matched'],
  ['header("a") == "b', 16, 'this text has no closing "'],
  ['header("a") == "1" § 2', 20, '"§" means nothing here'],
  ['body == "1"', 1, 'expected header("…"), cookie("…"), query("…"), path, method, not or (, found body'],
])('a mistake is told with its column: %s', (source, column, message) => {
  let error: unknown;
  try {
    parseExpression(source);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(ExpressionError);
  expect((error as ExpressionError).column).toBe(column);
  expect((error as ExpressionError).message.split('\n')[0]).toBe(`column ${column}: ${message}`);
});

test('the caret stands below the mistake, also in a long expression', () => {
  const source = `${Array(30).fill('path == "/a"').join(' or ')} or path = "/b"`;
  const [, line, caret] = messageOf(() => parseExpression(source)).split('\n');
  expect(line?.[caret?.indexOf('^') ?? 0]).toBe('=');
  expect(line?.length).toBeLessThan(80);
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

test.each([
  ['nested parentheses', `${'('.repeat(2000)}path == "/"${')'.repeat(2000)}`, /nested more than 100 deep/],
  ['nested nots', `${'not '.repeat(1000)}path == "/"`, /nested more than 100 deep/],
  ['a very long expression', `path == "${'/a'.repeat(1_000_000)}"`, /characters are too many; write at most 4096/],
  [
    'alternatives beyond counting',
    Array(60).fill('(header("a") in ("1","2") or path == "/")').join(' and '),
    /^makes \d+ alternatives once its expressions are written out; at most 64/,
  ],
  [
    'alternatives hidden in a not',
    `not (${Array(7).fill('(path == "/a" and path == "/b")').join(' or ')})`,
    /^makes 128 alternatives/,
  ],
  ['an open quote and many escapes', `"${'\\"'.repeat(2000)}`, /no closing/],
])('hostile input ends in an error, at once: %s', (_title, expression, expected) => {
  const before = performance.now();
  const { matches, violations } = conditionTerms([{ expression }]);
  expect(performance.now() - before).toBeLessThan(500);
  expect(matches).toEqual([]);
  expect(violations.map(({ message }) => message)).toEqual([expect.stringMatching(expected)]);
});

test.each([
  ['header("a") == "1" and header("A") == "2"', 'no request can meet this: header("a") cannot be both "1" and "2"'],
  ['path == "/a" and path prefix "/b"', 'no request can meet this: path cannot be both "/a" and "/b"'],
  ['path prefix "/a" and path == "/ab"', 'no request can meet this: path cannot be both "/a" and "/ab"'],
  ['path prefix "/a" and path prefix "/b"', 'no request can meet this: path cannot be both "/a" and "/b"'],
  [
    'path == "/a/b" and not path prefix "/a"',
    'no request can meet this: path is asked to be "/a/b" and is ruled out at the same time',
  ],
  [
    'header("a") == "1" and header("a") != "1"',
    'no request can meet this: header("a") is asked to be "1" and is ruled out at the same time',
  ],
  [
    'header("a") == "1" and header("a") regex "2"',
    'header("a") has two conditions that must hold at the same time, "1" and "2"; gateways take one for each name: write one regular expression',
  ],
  [
    'not path regex "/a" and path != "/b"',
    'path is ruled out by a regular expression and by something else in the same term; write one regular expression',
  ],
])('conditions that cannot be handed over are refused: %s', (expression, message) => {
  expect(conditionTerms([{ expression }], ['m']).violations).toEqual([{ path: ['m', 0, 'expression'], message }]);
});

test('the limit of 64 holds for a step as a whole', () => {
  const entry = { expression: `header("a") in (${Array.from({ length: 40 }, (_, i) => `"${i}"`).join(',')})` };
  expect(conditionTerms([entry]).matches).toHaveLength(40);
  expect(conditionTerms([entry, entry], ['m']).violations).toEqual([
    { path: ['m'], message: expect.stringContaining('makes 80 alternatives') },
  ]);
});

test.each(['a.b', '^$', 'a|b', '(x)[y]{z}', '\\d', 'a-b/c', 'é+'])(
  'a quoted regular expression matches its text and nothing else: %s',
  (text) => {
    const quoted = quoteRegex(text);
    expect(regexError(quoted)).toBeUndefined();
    expect(new RegExp(`^${quoted}$`, 'u').test(text)).toBe(true);
    expect(new RegExp(`^${quoted}$`).test(`${text}x`)).toBe(false);
  },
);

/** A request with at most one value for each header, cookie and query parameter. */
type Request = {
  path: string;
  method: string;
  header: Record<string, string>;
  cookie: Record<string, string>;
  query: Record<string, string>;
};

function actualOf(operand: Operand, request: Request): string | undefined {
  if (!('name' in operand)) return request[operand.on];
  return request[operand.on][operand.on === 'header' ? operand.name.toLowerCase() : operand.name];
}

/** What a tree means, said in the plainest way. */
function holds(condition: Condition, request: Request): boolean {
  if ('and' in condition) return condition.and.every((part) => holds(part, request));
  if ('or' in condition) return condition.or.some((part) => holds(part, request));
  if ('not' in condition) return !holds(condition.not, request);
  const value = actualOf(condition.test, request);
  const [first = ''] = condition.values;
  switch (condition.operator) {
    case '!=':
      return value !== first;
    case 'regex':
      return value !== undefined && new RegExp(`^(?:${first})$`).test(value);
    case 'prefix':
      return value !== undefined && (condition.test.on === 'path' ? isUnder(value, first) : value.startsWith(first));
    default:
      return value !== undefined && condition.values.includes(value);
  }
}

/** What a gateway makes of one AND group. */
function matchHolds(match: Match, request: Request): boolean {
  return (
    checks(match, request).every(Boolean) && !(isMap(match.without) && checks(match.without, request).some(Boolean))
  );
}

function checks(tests: Tests, request: Request): boolean[] {
  const one = (operand: Operand, { type, value }: { type: string; value: string }) => {
    const actual = actualOf(operand, request);
    if (actual === undefined) return false;
    if (type === 'PathPrefix') return isUnder(actual, value);
    return type === 'Exact' ? actual === value : new RegExp(`^(?:${value})$`).test(actual);
  };
  return [
    ...(tests.path === undefined ? [] : [one({ on: 'path' }, tests.path)]),
    ...(tests.method === undefined ? [] : [one({ on: 'method' }, tests.method)]),
    ...(tests.headers ?? []).map((item) => one({ on: 'header', name: item.name }, item)),
    ...(tests.cookies ?? []).map((item) => one({ on: 'cookie', name: item.name }, item)),
    ...(tests.queryParams ?? []).map((item) => one({ on: 'query', name: item.name }, item)),
  ];
}

const word = fc.constantFrom('a', 'b', 'ab');
const paths = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/b');
const operator = fc.constantFrom<Operator>('==', '!=', 'prefix', 'in', 'regex');
const values = (text: fc.Arbitrary<string>, on: string) =>
  operator.chain((chosen) => {
    const many = fc.uniqueArray(text, { minLength: 1, maxLength: chosen === 'in' ? 3 : 1 });
    return many.map((list) => ({
      operator: chosen === 'prefix' && on === 'method' ? ('==' as const) : chosen,
      values: list,
    }));
  });
const leaf: fc.Arbitrary<Test> = fc.oneof(
  fc
    .record({ on: fc.constantFrom('header', 'cookie', 'query'), name: fc.constantFrom('x', 'y', 'X') })
    .chain((test) => values(word, test.on).map((rest) => ({ test, ...rest }))),
  values(paths, 'path').map((rest) => ({ test: { on: 'path' as const }, ...rest })),
  values(fc.constantFrom('GET', 'PUT'), 'method').map((rest) => ({ test: { on: 'method' as const }, ...rest })),
);
const tree = fc.letrec<{ any: Condition }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie('any').map((not) => ({ not })),
  ),
})).any;
const bag = fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('a', 'b', 'ab', 'c'));
const request = fc.record({
  path: fc.oneof(paths, fc.constant('/a/b/c')),
  method: fc.constantFrom('GET', 'PUT', 'POST'),
  header: bag,
  cookie: bag,
  query: bag,
});

test('the terms of a condition hold for the very requests that the condition holds for', () => {
  let compared = 0;
  fc.assert(
    fc.property(tree, fc.array(request, { minLength: 5, maxLength: 10 }), (condition, requests) => {
      fc.pre(countTerms(condition) <= 64);
      let written: Match[] = [];
      try {
        written = toTerms(condition);
      } catch (error) {
        if (!(error instanceof ConditionError)) throw error;
        // what cannot be said is refused; what cannot be met must hold for no request
        fc.pre(error.message.startsWith('no request'));
      }
      expect(written.length).toBeLessThanOrEqual(countTerms(condition));
      for (const each of requests) {
        compared += 1;
        expect(written.some((match) => matchHolds(match, each))).toBe(holds(condition, each));
      }
    }),
    { numRuns: 500 },
  );
  expect(compared).toBeGreaterThan(1000);
});

/** A tree as an expression says it. */
function textOf(condition: Condition): string {
  if ('and' in condition) return `(${condition.and.map(textOf).join(' and ')})`;
  if ('or' in condition) return `(${condition.or.map(textOf).join(' or ')})`;
  if ('not' in condition) return `not ${textOf(condition.not)}`;
  const { test: operand, operator: sign, values: list } = condition;
  const left = 'name' in operand ? `${operand.on}("${operand.name}")` : operand.on;
  const texts = list.map((value) => JSON.stringify(value));
  return `${left} ${sign} ${sign === 'in' ? `(${texts.join(', ')})` : texts[0]}`;
}

/** The tree without ANDs and ORs of a single part, which no expression can say. */
function plain(condition: Condition): Condition {
  if ('not' in condition) return { not: plain(condition.not) };
  if ('test' in condition) return condition;
  const parts = ('and' in condition ? condition.and : condition.or).map(plain);
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  return 'and' in condition ? { and: parts } : { or: parts };
}

test('an expression is read as it is written', () => {
  fc.assert(
    fc.property(tree, (condition) => {
      const source = textOf(condition);
      fc.pre(source.length <= 4096);
      expect(parseExpression(source)).toEqual(plain(condition));
    }),
  );
});

test('any text is an expression or an error with a column in it', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'header',
      '(',
      ')',
      '"a"',
      '==',
      'and',
      'or',
      'not',
      'path',
      'in',
      ',',
      ' ',
      '"',
      '\\',
      '"/"',
      'method',
      'regex',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const source = pieces.join(' ');
      try {
        parseExpression(source);
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        expect(error.column).toBeGreaterThan(0);
        expect(error.column).toBeLessThanOrEqual(source.length + 1);
      }
    }),
    { numRuns: 500 },
  );
});
