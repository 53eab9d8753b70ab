import fc from 'fast-check';
import { expect, test } from 'vitest';
import { member } from '../json/value.ts';
import { runScript } from './run.ts';
import { makeScript } from './script.ts';

const returned = (text: string) => runScript(makeScript('test', text, new Map()), {}).value;
/** What the last of an expression's values is shown as, as the engine of Kruise Rollouts shows it. */
const shown = (expression: string) => member(returned(`return {v = tostring((select(-1, ${expression})))}`), 'v');

test.each([
  ['80 / 2 .. "%"', '40%'],
  ['20 * 100 / 100', '20'],
  ['1.5 .. ""', '1.5'],
  ['100 * 1.1', '110.00000000000001'],
  ['0.1 + 0.2', '0.30000000000000004'],
  ['1 / 3', '0.3333333333333333'],
  ['2147483647 + 1', '2147483648'],
  ['-2147483648 - 1', '-2147483649'],
  ['1000000 * 1000000', '1000000000000'],
  ['2 ^ 53', '9007199254740992'],
  ['2 ^ 62', '4611686018427387904'],
  ['2 ^ 63', '9.223372036854776e+18'],
  ['1e15', '1000000000000000'],
  ['1e21', '1e+21'],
  ['1e-7', '1e-07'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['1234567.5', '1.2345675e+06'],
  ['-0.0', '0'],
  ['1 / 0', '+Inf'],
  ['-1 / 0', '-Inf'],
  ['0 / 0', 'NaN'],
  ['7 % -3', '-2'],
  ['-7 % 3', '2'],
  ['5.5 % 2', '1.5'],
  ['-2 ^ 2', '-4'],
  ['2 ^ 3 ^ 2', '512'],
  ['7 // 2', '3'],
  ['-7 // 2', '-4'],
  ['5 & 3', '1'],
  ['1 << 4', '16'],
  ['~0', '-1'],
  ['0xff', '255'],
  ['0xffffffff', '4294967295'],
  ['"10" + 5', '15'],
  ['"0x10" * 2', '32'],
  ['10 .. 20', '1020'],
  ['1 == 1.0', 'true'],
  ['"1" == 1', 'false'],
  ['#"héllo"', '6'],
])('numbers are those of Lua 5.1: %s is %s', (expression, result) => {
  expect(shown(expression)).toBe(result);
});

test('an index that is a float is the same as the integer', () => {
  expect(returned('local t = {} t[1.0] = "a" t[2] = "b" return {t[1], t[4 / 2]}')).toEqual(['a', 'b']);
});

test('a loop with float bounds visits what adding gives', () => {
  expect(returned('local t = {} for i = 1, 2, 0.5 do t[#t + 1] = i end return t')).toEqual([1, 1.5, 2]);
  expect(returned('local t = {} for i = 10, 1, -4 do t[#t + 1] = i end return t')).toEqual([10, 6, 2]);
});

test.each([
  ['unpack({1, 2, 3})', '3'],
  ['unpack({1, 2, 3}, 2, 2)', '2'],
  ['loadstring("return 1 + 1")()', '2'],
  ['loadstring("syntax error here")', "loaded text:1: syntax error near 'error'"],
  ['table.getn({1, 2, 3})', '3'],
  ['table.maxn({1, 2, nil, 4, [9] = 1})', '9'],
  ['math.pow(2, 10)', '1024'],
  ['math.mod(7, 3)', '1'],
  ['math.fmod(-7, 3)', '-1'],
  ['math.log10(1000)', '3'],
  ['math.ldexp(1, 4)', '16'],
  ['math.frexp(8)', '4'],
  ['math.modf(-3.7)', '-0.7000000000000002'],
  ['math.floor(-3.5)', '-4'],
  ['math.max(1, "5", 3)', '5'],
  ['string.gfind("one two", "%a+")()', 'one'],
  ['setfenv(function() return y end, {y = 7})()', '7'],
  ['getfenv(1) == _G', 'true'],
  ['getfenv(setfenv(function() return x end, {a = "b"})).a', 'b'],
  ['tonumber("0x10")', '16'],
  ['tonumber(" 12 ")', '12'],
  ['tonumber("1 2")', 'nil'],
  ['tonumber("ff", 16)', '255'],
  ['tonumber("8", 8)', 'nil'],
  ['json.encode({b = {1, 2}, a = "x"})', '{"a":"x","b":[1,2]}'],
  ['json.decode([[{"a":[1,{"b":2}]}]]).a[2].b', '2'],
  ['(select(2, json.decode("{"))):match("^cannot decode: ") ~= nil', 'true'],
  ['json.encode(print)', 'cannot encode: the result is a function: return strings, numbers, booleans and tables only'],
  ['json.encode(json.list())', '[]'],
  ['json.encode(json.decode("[{},[]]"))', '[{},[]]'],
  ['select("#", table.remove({}))', '1'],
  ['"a\\.b\\/c"', 'a.b/c'],
  ['_VERSION', 'Lua 5.1'],
])('names and habits of Lua 5.1 work: %s is %s', (expression, result) => {
  expect(shown(expression)).toBe(result);
});

test.each([
  ['("%5.2f|%-5d|%05d"):format(3.14159, 42, 42)', ' 3.14|42   |00042'],
  ['("%x|%X|%o|%#x"):format(255, 255, 8, 255)', 'ff|FF|10|0xff'],
  ['("%d"):format(3.7)', '3'],
  ['("%d"):format(3.0)', '3'],
  ['("%d"):format("10")', '10'],
  ['("%d"):format(2 ^ 40)', '1099511627776'],
  ['("%e|%g|%.3g"):format(12345.678, 0.0001, 3.14159)', '1.234568e+04|0.0001|3.14'],
  ['("%.0f%.0f%.0f"):format(0.5, 1.5, 2.5)', '022'],
  ['("%.2f %.1f %.1f"):format(1.005, 0.25, 0.35)', '1.00 0.2 0.3'],
  ['("%s %s %s"):format(1, true, nil)', '1 true nil'],
  ['("%10s|%-10s|%.2s"):format("abc", "abc", "abc")', '       abc|abc       |ab'],
  ['("%c%c%%"):format(72, 105)', 'Hi%'],
  ['("%q"):format("a\\"b")', '"a\\"b"'],
  ['("%+d|% d|%5.3d|"):format(5, 5, 7)', '+5| 5|  007|'],
])('string.format writes what the engine of Kruise Rollouts writes: %s', (expression, result) => {
  expect(shown(expression)).toBe(result);
});

test.each([
  ['("hello world"):find("(o)(%s)")', ' '],
  ['("a+b"):find("+", 1, true)', '2'],
  ['("key = value"):match("(%w+)%s*=%s*(%w+)")', 'value'],
  ['("  trim  "):match("^%s*(.-)%s*$") .. "|"', 'trim|'],
  ['("hello"):match("()ll()")', '5'],
  ['("hello"):gsub("", "-")', '6'],
  ['(("hello world"):gsub("(%w+)", "<%1>"))', '<hello> <world>'],
  ['(("hello"):gsub("l", {l = "L"}))', 'heLLo'],
  ['(("abc"):gsub("%w", "%0%0"))', 'aabbcc'],
  ['(("abc"):gsub("%w", function(c) if c ~= "b" then return c:upper() end end))', 'AbC'],
  ['(("a.b.c"):gsub("%.", "/", 1))', 'a/b.c'],
  ['("f(a(b)c)d"):match("%b()")', '(a(b)c)'],
  ['("THE (quick) fox"):find("%f[%a]%a+%f[%A]")', '3'],
  ['("abab"):match("(%a%a)%1")', 'ab'],
  ['("[x]"):match("%[(.-)%]")', 'x'],
  ['("x^y"):match("[%^a]")', '^'],
  ['("a-z"):match("[a%-]+")', 'a-'],
  ['("svc.ns.svc.cluster.local"):match("^([^%.]+)%.")', 'svc'],
])('patterns: %s', (expression, result) => {
  expect(shown(expression)).toBe(result);
});

test('plain search and matching agree with JavaScript where both mean the same', () => {
  const some = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '%') });
  fc.assert(
    fc.property(some, some, (text, wanted) => {
      const quoted = wanted.replace(/[.%-]/g, '%$&');
      const found = text.indexOf(wanted) + 1;
      const script =
        'local t, w, q = obj.t, obj.w, obj.q return {a = t:find(w, 1, true), b = t:find(q), c = (t:gsub(q, "<%0>"))}';
      const { value } = runScript(makeScript('test', script, new Map()), { t: text, w: wanted, q: quoted });
      const places = found === 0 ? {} : { a: found, b: found };
      expect(value).toEqual({ ...places, c: text.replaceAll(wanted, `<${wanted}>`) });
    }),
  );
});

test.each([
  ['__index function', 'setmetatable({}, {__index = function(t, k) return k .. "!" end}).foo', 'foo!'],
  ['__index table', 'setmetatable({}, {__index = {a = 1}}).a', '1'],
  [
    '__newindex',
    '(function() local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v * 2) end}) t.x = 5 return t.x end)()',
    '10',
  ],
  ['__call', 'setmetatable({}, {__call = function(self, a) return a * 2 end})(21)', '42'],
  ['__tostring', 'tostring(setmetatable({}, {__tostring = function() return "custom" end}))', 'custom'],
  ['__concat', 'setmetatable({}, {__concat = function(a, b) return "cat" end}) .. "x"', 'cat'],
  ['__len', '#setmetatable({}, {__len = function() return 42 end})', '42'],
  ['__unm', '-setmetatable({}, {__unm = function() return "neg" end})', 'neg'],
  ['__add', '1 + setmetatable({}, {__add = function(a) return a + 1 end})', '2'],
  ['__lt', 'setmetatable({}, {__lt = function() return true end}) < {}', 'true'],
  ['__metatable', 'getmetatable(setmetatable({}, {__metatable = "locked"}))', 'locked'],
])('metatables: %s', (_, expression, result) => {
  expect(shown(expression)).toBe(result);
});

test('closures in a loop have a variable each, and share what is outside of it', () => {
  const text = `local sum, made = 0, {}
    for i = 1, 3 do made[i] = function() sum = sum + i return sum end end
    return {made[1](), made[3](), made[2](), sum}`;
  expect(returned(text)).toEqual([1, 4, 6, 6]);
});

test('varargs keep their nils and their number', () => {
  expect(
    returned('local function f(...) return {n = select("#", ...), last = (select(-1, ...))} end return f(1, nil, 3)'),
  ).toEqual({ n: 3, last: 3 });
});

test('a table that is walked may lose the keys that were visited', () => {
  expect(
    returned(
      'local t = {1, 2, 3, a = 1, b = 2} local n = 0 for k in pairs(t) do t[k] = nil n = n + 1 end return {n = n, empty = next(t) == nil}',
    ),
  ).toEqual({ n: 5, empty: true });
});

test('a list may be filled in any order, and emptied from any end', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], { minLength: 12 }),
      fc.boolean(),
      (order, fromEnd) => {
        const text = `local t = {} for _, i in ipairs(obj.order) do t[i] = i end
        local size, sum = #t, 0 for _, v in ipairs(t) do sum = sum + v end
        while #t > 0 do table.remove(t, obj.fromEnd and #t or 1) end
        return {size = size, sum = sum, left = #t}`;
        const { value } = runScript(makeScript('test', text, new Map()), { order, fromEnd });
        expect(value).toEqual({ size: 12, sum: 78, left: 0 });
      },
    ),
  );
});

test('sorting gives the order of JavaScript for the same comparison', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (list) => {
      const text =
        'local up, down = obj.a, obj.b table.sort(up) table.sort(down, function(x, y) return x > y end) return {up = up, down = down}';
      const { value } = runScript(makeScript('test', text, new Map()), { a: list, b: list });
      const up = [...list].sort((a, b) => a - b);
      expect(value).toEqual({ up, down: [...up].reverse() });
    }),
  );
});

test('print is heard by nobody but the log of the run', () => {
  const run = runScript(makeScript('test', 'print("a", 1, true, nil) print() return {}', new Map()), {});
  expect(run.log).toEqual(['a\t1\ttrue\tnil', '']);
});

test('the last of several results counts', () => {
  expect(returned('return {a = 1}, {b = 2}')).toEqual({ b: 2 });
});
