import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runScript } from './run.ts';
import { makeScript } from './script.ts';

const MODULES = new Map([['counter', 'local M = {n = 0} function M.next() M.n = M.n + 1 return M.n end return M']]);

/** Leaves all that it can behind for the next run. */
const POLLUTE = `
  leaked = "global"
  string.format = function() return "evil" end
  string.upper = nil
  table.insert = nil
  math.floor = function() return 666 end
  json.encode = function() return "evil" end
  tostring = function() return "evil" end
  ipairs, pairs, next = nil, nil, nil
  getmetatable("").__index = function() return "evil" end
  getmetatable("").__add = function() return "evil" end
  setmetatable(_G, {__index = function() return "leaked" end})
  setmetatable(obj, {__index = function() return "leaked" end})
  local counter = require("counter")
  counter.next()
  counter.next()
  counter.leaked = true
  _G.require = nil
  return {}
`;

const PROBE = `
  local list = {}
  table.insert(list, string.format("%d", 3))
  local counter = require("counter")
  for _, v in ipairs(list) do list[2] = v .. ("x"):upper() end
  return {
    leaked = leaked or "nothing", obj = obj.leaked or "nothing", module = counter.leaked or "nothing",
    count = counter.next(), floor = math.floor(2.5), list = list, text = tostring(1), json = json.encode({1}),
  }
`;

const CLEAN = {
  leaked: 'nothing',
  obj: 'nothing',
  module: 'nothing',
  count: 1,
  floor: 2,
  list: ['3', '3XX'],
  text: '1',
  json: '[1]',
};

test('nothing that a run changes is there in the next one', () => {
  const probe = makeScript('probe', PROBE, MODULES);
  expect(runScript(probe, { a: 1 }).value).toEqual(CLEAN);
  runScript(makeScript('pollute', POLLUTE, MODULES), { a: 1 });
  expect(runScript(probe, { a: 1 }).value).toEqual(CLEAN);
});

test('a run that fails or is stopped leaves nothing behind', () => {
  const probe = makeScript('probe', PROBE, MODULES);
  for (const end of ['error("x")', 'while true do end', 'local function f() return 1 + f() end f()', 'return print']) {
    const text = POLLUTE.replace('return {}', end);
    expect(() => runScript(makeScript('pollute', text, MODULES), {}, { steps: 10_000 })).toThrow();
    expect(runScript(probe, {}).value).toEqual(CLEAN);
  }
});

test('variables of the script itself start anew in each run', () => {
  const script = makeScript(
    'x',
    'n = (n or 0) + 1 local m = 0 local function f() m = m + 1 return m end f() return {n = n, m = f()}',
    new Map(),
  );
  expect([1, 2, 3].map(() => runScript(script, {}).value)).toEqual([1, 2, 3].map(() => ({ n: 1, m: 2 })));
});

test('the same script and input give the same value, whatever ran before', () => {
  const script = makeScript(
    'x',
    'local keys = {} for k, v in pairs(obj.data) do keys[#keys + 1] = k .. tostring({}) end return {keys = keys, data = obj.data}',
    new Map(),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
      const obj = { data: data as never };
      const first = JSON.stringify(runScript(script, obj).value);
      runScript(makeScript('pollute', POLLUTE, MODULES), obj);
      expect(JSON.stringify(runScript(script, obj).value)).toBe(first);
    }),
  );
});

test('what one run returns is not changed by the next', () => {
  const script = makeScript('x', 'obj.data.n = obj.n return obj.data', new Map());
  const data = { list: [1] };
  const first = runScript(script, { data, n: 1 }).value;
  const second = runScript(script, { data, n: 2 }).value;
  expect([first, second, data]).toEqual([{ list: [1], n: 1 }, { list: [1], n: 2 }, { list: [1] }]);
});
