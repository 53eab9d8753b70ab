import { expect, test } from 'vitest';
import { checkScript, runScript } from './run.ts';
import { makeScript, ScriptError, type ScriptErrorReason } from './script.ts';

const NAME = 'networking.istio.io/VirtualService';

function failure(text: string, modules: ReadonlyMap<string, string> = new Map(), name = NAME): ScriptError {
  try {
    runScript(makeScript(name, text, modules), { data: { spec: {} } });
  } catch (error) {
    if (error instanceof ScriptError) return error;
    throw error;
  }
  throw new Error('the script did not fail');
}

test.each<[string, ScriptErrorReason, number | undefined, string]>([
  ['local x = 1\n\nreturn obj.data.spec.http[1]', 'runtime', 3, ":3: attempt to index a nil value (field 'http')"],
  ['local rule\nrule.x = 1', 'runtime', 2, ":2: attempt to index a nil value (local 'rule')"],
  ['rule.x = 1', 'runtime', 1, ":1: attempt to index a nil value (global 'rule')"],
  ['local t\nlocal function f() return t.x end\nf()', 'runtime', 2, ":2: attempt to index a nil value (upvalue 't')"],
  ['obj.data:walk()', 'runtime', 1, ":1: attempt to call a nil value (method 'walk')"],
  ['tabel.insert({}, 1)', 'runtime', 1, ":1: attempt to index a nil value (global 'tabel')"],
  ['return {} + 1', 'runtime', 1, ':1: attempt to perform arithmetic on a table value'],
  ['return obj.weight / 100', 'runtime', 1, ":1: attempt to perform arithmetic on a nil value (field 'weight')"],
  ['return "x" .. obj.data', 'runtime', 1, ":1: attempt to concatenate a table value (field 'data')"],
  ['return 1 < "2"', 'runtime', 1, ':1: attempt to compare number with string'],
  ['return {} < {}', 'runtime', 1, ':1: attempt to compare two table values'],
  ['return #nil', 'runtime', 1, ':1: attempt to get length of a nil value'],
  ['local t = {}\nt[nil] = 1', 'runtime', 2, ':2: table index is nil'],
  ['ipairs(obj.data.http)', 'runtime', 1, ":1: bad argument #1 to 'ipairs' (table expected, got nil)"],
  ['string.rep()', 'runtime', 1, ":1: bad argument #1 to 'rep' (string expected, got no value)"],
  ['\n\nerror("no route to the stable Service")', 'runtime', 3, ':3: no route to the stable Service'],
  ['\nerror("no position", 0)', 'runtime', 2, ':2: no position'],
  ['local function check() error("of the caller", 2) end\n\ncheck()', 'runtime', 3, ':3: of the caller'],
  ['\nerror({code = 1})', 'runtime', 2, ':2: (a table value)'],
  ['\nassert(obj.missing, "obj.missing is needed")', 'runtime', 2, ':2: obj.missing is needed'],
  ['\nlocal x = = 1', 'syntax', 2, ":2: unexpected symbol near '='"],
  ['for i = 1, 2 do', 'syntax', 1, ":1: 'end' expected near <eof>"],
  ['return "\x80', 'syntax', 1, ':1: unfinished string near <eof>'],
  ['', 'result', undefined, ': the script must return a table, not nothing: write `return obj.data` at its end'],
  ['return "x"', 'result', undefined, ': the script must return a table, not a string'],
  [
    'return {spec = {http = {{}, {weight = 0/0}}}}',
    'result',
    undefined,
    ': spec.http[1].weight is not a number (0/0): check what it is divided by',
  ],
  ['return {a = 1/0}', 'result', undefined, ': a is infinite: check what it is divided by'],
  [
    'return {spec = {f = print}}',
    'result',
    undefined,
    ': spec.f is a function: return strings, numbers, booleans and tables only',
  ],
  [
    'return {l = {1, 2, x = 3}}',
    'result',
    undefined,
    ': l is a table with both list items and named keys: use either 1…n or names as keys',
  ],
  [
    'return {l = {[1] = 1, [3] = 3}}',
    'result',
    undefined,
    ': l is a table with both list items and named keys: use either 1…n or names as keys',
  ],
  [
    'return {l = {[2] = 1}}',
    'result',
    undefined,
    ': l is a list with holes or with other keys: it has index 2 but not all before it: fill 1…n',
  ],
  [
    'return {l = {1, nil, 3}}',
    'result',
    undefined,
    ': l[1] is nil inside a list: use table.remove to take an item out',
  ],
  [
    'return {l = {[1.5] = 1}}',
    'result',
    undefined,
    ': l has the number 1.5 as a key: use strings as keys, or 1…n for a list',
  ],
  ['return {l = {[true] = 1}}', 'result', undefined, ': l has a boolean as a key: use strings as keys'],
  [
    'return {["a b"] = {s = ("é"):sub(1, 1)}}',
    'result',
    undefined,
    ': ["a b"].s is a string with bytes that are no UTF-8: \\195: cut strings between characters',
  ],
  ['local t = {} t.t = t return {t = t}', 'result', undefined, ': t.t is a table inside itself: put a copy there'],
  [
    'local function f()\n  return 1 + f()\nend\nf()',
    'limit',
    2,
    ':2: stopped: its calls are nested more than 250 deep',
  ],
])('the error of %j says where and what', (text, reason, line, message) => {
  const error = failure(text);
  expect({ reason: error.reason, line: error.line, message: error.message, script: error.script }).toEqual({
    reason,
    line,
    message: NAME + message,
    script: NAME,
  });
});

test('an error in a module names script, module and the line in it; the line is where the script called', () => {
  const modules = new Map([['weights', 'local M = {}\nfunction M.split(t)\n  return t.x.y\nend\nreturn M']]);
  const error = failure('local w = require("weights")\n\nw.split({})', modules);
  expect(error.message).toBe(`${NAME}:3: weights:3: attempt to index a nil value (field 'x')`);
  expect(error.line).toBe(3);
});

test('a module that is no Lua is a syntax error that names the module', () => {
  const error = failure('require("broken")', new Map([['broken', '\nreturn = 1']]));
  expect(error).toMatchObject({ reason: 'syntax', message: `${NAME}:1: broken:2: unexpected symbol near '='` });
});

test('a module that requires itself is run once', () => {
  const modules = new Map([
    ['a', 'return {b = require("b")}'],
    ['b', 'return {a = require("a")}'],
  ]);
  const run = runScript(makeScript('x', 'return require("a")', modules), {});
  expect(run.value).toEqual({ b: { a: true } });
});

test('two scripts with the same text keep their own names in errors', () => {
  const text = 'return obj.a.b';
  expect([
    failure(text, new Map(), 'ingress/nginx').message,
    failure(text, new Map(), 'ingress/higress').message,
  ]).toEqual([
    "ingress/nginx:1: attempt to index a nil value (field 'a')",
    "ingress/higress:1: attempt to index a nil value (field 'a')",
  ]);
});

test('a run that is stopped for its CPU time says so: elsewhere it may be given more', () => {
  const endless = makeScript('x', 'while true do end', new Map());
  const stoppedFor = (limits: Parameters<typeof runScript>[2]) => {
    try {
      runScript(endless, {}, limits);
    } catch (error) {
      return error instanceof ScriptError ? error.reason : error;
    }
    return 'not stopped';
  };
  expect(stoppedFor({ milliseconds: 20, steps: Number.MAX_SAFE_INTEGER })).toBe('time');
  expect(stoppedFor({ steps: 1000 })).toBe('limit');
});

test('a script is checked with its modules, and without being run', () => {
  const check = (text: string, module: string) => () => checkScript(makeScript('x', text, new Map([['m', module]])));
  expect(check('require("m") error("runs")', 'error("runs")')).not.toThrow();
  expect(check('\nreturn =', '')).toThrow("x:2: unexpected symbol near '='");
  expect(check('if false then require("m") end', '\nreturn =')).toThrow("x: m:2: unexpected symbol near '='");
  expect(check(`return 1 --${'-'.repeat(300_000)}`, '')).toThrow('x: stopped: its source is longer than 262144 bytes');
});

test('limits that a caller sets are kept', () => {
  const script = makeScript('x', 'local t = {} for i = 1, 100000 do t[i] = i end return {}', new Map());
  expect(() => runScript(script, {}, { steps: 1_000 })).toThrow(
    'x:1: stopped after 1000 steps: is there a loop that never ends?',
  );
  expect(() => runScript(script, {}, { entries: 1_000 })).toThrow('its tables hold more than 1000 entries');
  expect(() => runScript(script, {}, { sourceBytes: 10 })).toThrow('its source is longer than 10 bytes');
});
