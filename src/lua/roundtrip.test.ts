import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal } from '../json/equal.ts';
import { canonicalJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { runScript } from './run.ts';
import { makeScript } from './script.ts';

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\ud800', 'a\udfffb', '\ufffd', '\0', 'é😀'),
);
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '1', '', 'n', 'spec'));
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 1e21, 2 ** 31, 2 ** 40, 1e-7, 5e-324),
  // No two of these have the same double: what happens then is told by a test of its own.
  fc
    .constantFrom('1e400', '0.12345678901234567891', '-9007199254740993', '12345678901234567890')
    .map((digits) => JSON.rawJSON(digits)),
);
const scalar = fc.oneof(fc.constant(null), fc.boolean(), number, text);
/** Anything that JSON can hold: nulls, empty maps and lists, any key, any UTF-16, numbers beyond a double. */
const { anything } = fc.letrec<{ anything: Json; list: readonly Json[]; map: JsonMap }>((tie) => ({
  anything: fc.oneof({ depthSize: 'small' }, scalar, tie('list'), tie('map')),
  list: fc.array(tie('anything'), { maxLength: 5 }),
  map: fc.dictionary(key, tie('anything'), { maxKeys: 5 }),
}));
const object = fc.dictionary(key, anything, { maxKeys: 6 });

const run = (script: string, obj: JsonMap) => runScript(makeScript('test', script, new Map()), obj);

const WALK = 'local function walk(t) for k, v in pairs(t) do if type(v) == "table" then walk(v) end end end ';

test.each([
  ['is not touched', ''],
  ['is read to the last corner', `${WALK} walk(obj.data)`],
  ['is counted', 'local n = #obj.data + #obj.data'],
  ['is walked with next', 'local k = next(obj.data) while k ~= nil do k = next(obj.data, k) end'],
  [
    'is assigned to itself',
    'local function put(t) for k, v in pairs(t) do t[k] = v if type(v) == "table" then put(v) end end end put(obj.data)',
  ],
  ['gets a key and loses it again', 'obj.data.added = {1} obj.data.added = nil'],
  [
    'gets items and loses them again',
    'for k, v in pairs(obj.data) do if type(v) == "table" and #v > 0 then table.insert(v, 1, "x") v[#v + 1] = {} table.remove(v) table.remove(v, 1) end end',
  ],
  ['is put somewhere else and back', 'local d = obj.data obj = {kept = d} obj.data = obj.kept'],
  [
    'is turned round and back',
    'for k, v in pairs(obj.data) do if type(v) == "table" then for r = 1, 2 do for i = 1, #v / 2 do v[i], v[#v + 1 - i] = v[#v + 1 - i], v[i] end end end end',
  ],
])('data that %s comes out as the very same value', (_, script) => {
  fc.assert(
    fc.property(
      object.filter((data) => !Object.hasOwn(data, 'added')),
      (data) => {
        expect(run(`${script} return obj.data`, { data }).value).toBe(data);
      },
    ),
  );
});

test('data that is looked at in some places comes out as the very same value', () => {
  const script =
    'for _, path in ipairs(obj.paths) do local t = obj.data for _, k in ipairs(path) do if type(t) == "table" then t = t[k] end end end return obj.data';
  fc.assert(
    fc.property(object, fc.array(fc.array(fc.oneof(key, fc.integer({ min: 1, max: 4 })))), (data, paths) => {
      expect(run(script, { data, paths }).value).toBe(data);
    }),
  );
});

test('a key that is set changes the maps on the way to it and nothing else', () => {
  fc.assert(
    fc.property(object, object, (deep, rest) => {
      const data: JsonMap = { rest, deep: { inner: deep, other: rest } };
      const { value } = run('obj.data.deep.inner["new key"] = {list = json.list(), map = {}} return obj.data', {
        data,
      });
      const expected = { rest, deep: { inner: { ...deep, 'new key': { list: [], map: {} } }, other: rest } };
      expect(equal(value, expected)).toBe(true);
      expect(isMap(value) && value['rest']).toBe(rest);
      expect(isMap(value) && isMap(value['deep']) && value['deep']['other']).toBe(rest);
    }),
  );
});

/** What a script can know of a value: it sees no nulls, and an empty table that it makes itself is a map. */
function seen(json: Json): Json {
  if (isList(json)) {
    const items = json.filter((item) => item !== null).map(seen);
    return items.length === 0 ? {} : items;
  }
  if (!isMap(json)) return json;
  return Object.fromEntries(
    Object.entries(json)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, seen(value)]),
  );
}

test('a copy that a script makes table by table has all that the script can see', () => {
  const copy =
    'local function copy(t) if type(t) ~= "table" then return t end local c = {} for k, v in pairs(t) do c[k] = copy(v) end return c end return copy(obj.data)';
  fc.assert(
    fc.property(object, (data) => {
      const { value } = run(copy, { data });
      expect(canonicalJson(value)).toBe(canonicalJson(seen(data)));
    }),
  );
});

test('a null in a map stays until the script gives its key a value', () => {
  const data = JSON.parse('{"a":null,"b":{"c":null,"d":1}}') as JsonMap;
  expect(run('obj.data.b.d = 2 return obj.data', { data }).value).toEqual({ a: null, b: { c: null, d: 2 } });
  expect(run('obj.data.a = "x" return obj.data', { data }).value).toEqual({ a: 'x', b: { c: null, d: 1 } });
  expect(run('return {absent = obj.data.a == nil}', { data }).value).toEqual({ absent: true });
});

test.each([
  ['nothing changes', '', [null, { a: 1 }, null, 2]],
  ['an item changes inside', 'l[1].a = 5', [null, { a: 5 }, null, 2]],
  ['an item is replaced', 'l[2] = 3', [null, { a: 1 }, null, 3]],
  ['an item is added', 'table.insert(l, 3)', [{ a: 1 }, 2, 3]],
  ['an item is removed', 'table.remove(l, 1)', [2]],
])('nulls in a list, which scripts do not see, stay while the number of items does: %s', (_, change, expected) => {
  const data: JsonMap = { l: [null, { a: 1 }, null, 2] };
  expect(run(`local l = obj.data.l ${change} return obj.data`, { data }).value).toEqual({ l: expected });
});

test('keys keep their order, new ones come last', () => {
  const data: JsonMap = { z: 1, a: { y: 1, b: 2 }, m: null, k: 3 };
  const { value } = run('obj.data.new = 1 obj.data.a.b = nil obj.data.a.b = 5 obj.data.z = 2 return obj.data', {
    data,
  });
  expect(JSON.stringify(value)).toBe('{"z":2,"a":{"y":1,"b":5},"m":null,"k":3,"new":1}');
});

test.each([
  ['an empty map', {}, '', '{}'],
  ['an empty list', [], '', '[]'],
  ['an emptied map', { a: 1 }, 't.a = nil', '{}'],
  ['an emptied list', [1, 2], 't[2] = nil t[1] = nil', '[]'],
  ['an empty map with an item', {}, 't[1] = "x"', '["x"]'],
  ['an empty list with a key', [], 't.x = 1', '{"x":1}'],
  ['a list turned into a map', [1], 't[1] = nil t.x = 1', '{"x":1}'],
])('%s that was touched is written as what it holds, or as what it was', (_, before, change, after) => {
  const { value } = run(`local t = obj.t ${change} return {t = t}`, { t: before });
  expect(JSON.stringify(value)).toBe(`{"t":${after}}`);
});

test('a table put in two places goes out in both', () => {
  const { value } = run('local t = {a = {}} return {x = t, y = {t, t}, z = obj.d, w = obj.d}', { d: { e: 1 } });
  expect(value).toEqual({ x: { a: {} }, y: [{ a: {} }, { a: {} }], z: { e: 1 }, w: { e: 1 } });
});

test('a number beyond a double keeps its digits where it is, where it is moved to, and in a changed map', () => {
  const exact = JSON.rawJSON('12345678901234567890');
  const data: JsonMap = { id: exact, list: [exact], other: 1 };
  const { value } = run('local d = obj.data d.copy = d.id d.other = 2 d.list[2] = d.id return d', { data });
  expect(JSON.stringify(value)).toBe(
    '{"id":12345678901234567890,"list":[12345678901234567890,12345678901234567890],"other":2,"copy":12345678901234567890}',
  );
});

test('two numbers that a script cannot tell apart keep their digits in place, and are refused elsewhere', () => {
  const data: JsonMap = { a: JSON.rawJSON('9007199254740993'), b: JSON.rawJSON('9007199254740992.5') };
  expect(JSON.stringify(run('obj.data.c = 1 return obj.data', { data }).value)).toBe(
    '{"a":9007199254740993,"b":9007199254740992.5,"c":1}',
  );
  expect(() => run('obj.data.c = obj.data.b return obj.data', { data })).toThrow('c is one of several numbers');
});

test('a number that a double holds keeps its digits beside one that it does not', () => {
  const data: JsonMap = { a: JSON.rawJSON('9007199254740993'), b: 9007199254740992 };
  expect(() => run('obj.data.c = obj.data.b return obj.data', { data })).toThrow('c is one of several numbers');
});

test('json.encode keeps the digits of numbers beyond a double', () => {
  const { value } = run('return {text = json.encode(obj.data)}', { data: { n: JSON.rawJSON('12345678901234567890') } });
  expect(value).toEqual({ text: '{"n":12345678901234567890}' });
});

test('provenance: an item that moved is known by what it came in as, one that was made has no source', () => {
  const http = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  const { value, sourceOf } = run(
    'local h = obj.http local made = {name = "made"} h[2].name = "changed" return {http = {h[3], made, h[2], h[1]}}',
    { http },
  );
  const out = isMap(value) ? value['http'] : undefined;
  if (!isList(out)) throw new Error('no list');
  expect(out).toEqual([{ name: 'c' }, { name: 'made' }, { name: 'changed' }, { name: 'a' }]);
  expect(out.map((item) => sourceOf(item))).toEqual([http[2], undefined, http[1], http[0]]);
  expect(out[0]).toBe(http[2]);
  expect(sourceOf(value)).toBeUndefined();
});

test('what json.decode makes has no source, whatever it looks like', () => {
  const http = [{ name: 'a' }];
  const { value, sourceOf } = run('return {made = json.decode([[{"name":"a"}]]), same = obj.http}', { http });
  expect(isMap(value) && sourceOf(value['made'] ?? null)).toBeUndefined();
  expect(isMap(value) && sourceOf(value['same'] ?? null)).toBe(http);
});

test('it is known which maps and lists a script looked into', () => {
  const obj = { cookies: [{ name: 'a' }], method: { value: 'GET' }, data: { spec: {} } };
  const { wasRead } = run('local c = obj.cookies local m = obj.method.value return obj.data', obj);
  expect([obj, obj.cookies, obj.method, obj.data].map((part) => wasRead(part))).toEqual([true, false, true, false]);
  const looked = run('for _ in pairs(obj.cookies) do end return obj.data', obj);
  expect([obj.cookies, obj.cookies[0]].map((part) => looked.wasRead(part ?? null))).toEqual([true, false]);
});

test('the input is never changed', () => {
  const obj: JsonMap = { data: { list: [1, 2, 3], map: { a: 1 } } };
  const before = JSON.stringify(obj);
  run(
    'obj.data.list[1] = 9 table.insert(obj.data.list, 4) obj.data.map.a = nil obj.data.map.b = 1 return obj.data',
    obj,
  );
  expect(JSON.stringify(obj)).toBe(before);
});

test('a string that a script builds is what its bytes say, even where the old text looks like those bytes', () => {
  const { value } = run('obj.data.v = "\\195\\169" return obj.data', { data: { v: 'Ã©' } });
  expect(value).toEqual({ v: 'é' });
});

test('a name of the object prototype is data like any other', () => {
  const data = JSON.parse('{"__proto__":{"x":1},"constructor":"c"}') as JsonMap;
  const { value } = run('obj.data.__proto__.x = 2 obj.data.toString = "t" return obj.data', { data });
  expect(JSON.stringify(value)).toBe('{"__proto__":{"x":2},"constructor":"c","toString":"t"}');
  expect(({} as { x?: number }).x).toBeUndefined();
});
