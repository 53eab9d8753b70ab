import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeScript } from '../lua/script.ts';
import { createIsolate } from './isolate.ts';

/** What becomes of a hostile script: an error that says this, or a result that holds this. */
type Case = [title: string, text: string, outcome: RegExp];

const nilGlobal = /attempt to (index|call) a nil value/;
const loop = /is there a loop that never ends/;
const strings = /string of more than|strings take more than/;
const entries = /tables hold more than/;
const deep = /nested (more than \d+ deep|too deeply)/;

const ESCAPES: Case[] = [
  ['runs a command', 'os.execute("id")', nilGlobal],
  ['reads the environment', 'return {v = os.getenv("PATH")}', nilGlobal],
  ['asks the time', 'return {v = os.time()}', nilGlobal],
  ['opens a file', 'return {v = io.open("/etc/passwd"):read("*a")}', nilGlobal],
  ['runs a file', 'dofile("/etc/passwd")', nilGlobal],
  ['loads a file', 'loadfile("/etc/passwd")()', nilGlobal],
  ['requires a library', 'require("os").exit()', /there is no module 'os'/],
  ['requires a file', 'require("../../package.json")', /there is no module/],
  ['requires a module of Node', 'require("node:child_process")', /there is no module/],
  ['loads a native library', 'package.loadlib("libc.so", "system")', nilGlobal],
  ['reads the registry', 'return {v = debug.getregistry()}', nilGlobal],
  ['removes the hook', 'debug.sethook()', nilGlobal],
  ['collects garbage', 'collectgarbage("count")', nilGlobal],
  ['makes a coroutine', 'coroutine.wrap(function() while true do end end)()', nilGlobal],
  ['asks for chance', 'return {v = math.random()}', nilGlobal],
  ['reaches for JavaScript', 'js.global.process:exit(1)', nilGlobal],
  ['loads bytecode', 'return {v = tostring(load("\\27Lua\\83\\0\\25\\147\\13\\10"))}', /"v":"nil"/],
  [
    'loads bytecode in pieces',
    'local n = 0 local function p() n = n + 1 return ({"\\27Lua", "S"})[n] end return {v = select(2, load(p))}',
    /binary chunk/,
  ],
  ['dumps a function', 'return {v = string.dump(function() end)}', nilGlobal],
  ['climbs to a constructor', 'return {v = obj.constructor.constructor("return process")()}', nilGlobal],
  ['climbs from a string', 'return {v = ("x").constructor}', /\{\}/],
  ['reads a prototype', 'return {v = obj.__proto__, w = obj.data.toString, x = obj.hasOwnProperty}', /^\{\}$/],
  ['writes a prototype', 'obj.__proto__ = {polluted = true} return obj', /"__proto__":\{"polluted":true\}/],
  ['returns a prototype', 'return {__proto__ = {admin = true}, constructor = "x"}', /"__proto__":\{"admin":true\}/],
  [
    'looks for the text of a function',
    'return {v = tostring(print) .. tostring(string.format)}',
    /function: 0x0+1function: 0x0+2/,
  ],
  ['changes the environment of everything', 'setfenv(0, {})', /cannot change the environment/],
  ['leaves its environment', 'return {v = getfenv(print) == _G, w = getfenv(0) == _G}', /"v":true,"w":true/],
  ['hides a limit in pcall', 'pcall(function() while true do end end) return {v = "escaped"}', loop],
  ['hides a limit in xpcall', 'xpcall(function() while true do end end, function() return 1 end) return {}', loop],
  ['hides a limit in a handler', 'xpcall(error, function() while true do end end) return {}', loop],
  ['returns a function', 'return {v = print}', /v is a function/],
  ['returns itself', 'local t = {} t.t = {t} return t', /t\[0\] is a table inside itself/],
  [
    'raises a table that prints itself for ever',
    'error(setmetatable({}, {__tostring = function() while true do end end}))',
    /a table value/,
  ],
];

const BOMBS: Case[] = [
  ['loops for ever', 'while true do end', loop],
  ['repeats for ever', 'repeat until false', loop],
  ['jumps for ever', '::again:: goto again', loop],
  ['counts for ever', 'for i = 1, math.huge do end', loop],
  ['counts where counting stands still', 'for i = 2^53, 2^53 + 2 do end', loop],
  ['unpacks where counting stands still', 'return {unpack({}, 2^53, 2^53 + 10)}', /\{\}/],
  ['fails for ever', 'while true do pcall(error, "x") end', loop],
  ['calls itself at the end', 'local function f() return f() end f()', loop],
  ['calls itself', 'local function f() return 1 + f() end f()', deep],
  ['calls itself in pcall', 'local function f() pcall(f) end f()', deep],
  [
    'calls itself in a metatable',
    'local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return {v = t.x}',
    deep,
  ],
  ['calls itself in gsub', 'local function f() return ("x"):gsub(".", f) end f()', deep],
  ['calls itself in sort', 'local function f() table.sort({1, 2, 3}, f) end f()', deep],
  ['prints itself', 'local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) tostring(t)', deep],
  ['chains metatables in a ring', 'local t = {} setmetatable(t, {__index = t}) return {v = t.x}', /chain too long/],
  ['repeats a string', 'return {v = ("a"):rep(1e9)}', strings],
  [
    'repeats a string a number of times that is none',
    'return {v = (""):rep(1e300), w = ("a"):rep(-1/0)}',
    /"v":"","w":""/,
  ],
  ['repeats a string with separators', 'return {v = ("a"):rep(1e5, ("b"):rep(1e5))}', strings],
  ['doubles a string', 'local s = "x" while true do s = s .. s end', strings],
  ['appends to a string', 'local s = ("x"):rep(1e5) while true do s = s .. "y" end', strings],
  ['joins a list', 'local t = {} for i = 1, 1e4 do t[i] = ("x"):rep(1e3) end return {v = #table.concat(t)}', strings],
  ['replaces with itself', 'local s = ("x"):rep(1e4) while true do s = s:gsub(".", s) end', strings],
  ['formats widely', 'return {v = string.format("%99999d", 1)}', /width or precision too long/],
  [
    'formats often',
    'local f = ("%99d"):rep(1e5) while true do string.format(f, unpack({}, 1, 9e4)) end',
    /bad argument|strings/,
  ],
  ['reverses and shouts', 'local s = ("x"):rep(4e6) while true do s = s:reverse():upper() end', strings],
  ['cuts a string to bytes', 'return {string.byte(("x"):rep(4e6), 1, -1)}', /slice too long/],
  ['fills a table', 'local t = {} while true do t[#t + 1] = {} end', entries],
  ['fills a table with names', 'local t, i = {}, 0 while true do i = i + 1 t["k" .. i] = i end', /tables hold|loop/],
  [
    'fills a table while it is walked',
    'local t = {a = 1} for k in pairs(t) do t[k .. "x"] = 1 t[k .. "y"] = 1 end',
    /tables hold|loop|strings/,
  ],
  [
    'doubles a table',
    'local t = {1} while true do t = {unpack(t), unpack(t)} for i = 1, #t do t[#t + 1] = i end end',
    /tables hold|too many results/,
  ],
  ['passes many arguments', 'local t = {} t[9e4] = 1 while true do select("#", unpack(t, 1, 9e4)) end', loop],
  [
    'collects many arguments',
    'local function f(...) return {...} end while true do f(unpack({}, 1, 9e4)) end',
    /tables hold|loop/,
  ],
  ['inserts in front', 'local t = {} while true do table.insert(t, 1, 1) end', /tables hold|loop/],
  ['makes functions', 'local t = {} while true do t[#t + 1] = function() return t end end', entries],
  ['prints for ever', 'while true do print(("x"):rep(1e4)) end', strings],
  [
    'backtracks',
    'return {v = (("a"):rep(28)):find(("a?"):rep(28) .. ("a"):rep(28) .. "b")}',
    /pattern too complex|loop/,
  ],
  ['backtracks over captures', 'return {v = (("a"):rep(3e3)):match("(.*)(.*)(.*)(.*)(.*)b")}', loop],
  ['backtracks without greed', 'return {v = (("a"):rep(3e3)):match(".-.-.-.-.-.-b")}', loop],
  ['opens captures', 'return {v = ("a"):find(("("):rep(1e4))}', /too many captures|pattern too complex/],
  ['balances for ever', 'local s = ("("):rep(1e5) while true do s:gsub("%b()", "") end', loop],
  [
    'sorts without order',
    'local t = {} for i = 1, 1e5 do t[i] = i % 7 end table.sort(t, function() return true end) return {v = #t}',
    /"v":100000/,
  ],
  ['sorts for ever', 'table.sort({3, 2, 1}, function() while true do end end)', loop],
  ['nests parentheses', `local s = ("("):rep(1e5) return {v = load("return " .. s)}`, deep],
  ['nests tables in source', 'return {v = load("return " .. ("{"):rep(1e5))}', deep],
  ['nests functions in source', 'return {v = load(("function f() "):rep(1e4))}', /nested|too deeply/],
  ['negates in source', 'return {v = load("return " .. ("not "):rep(5e4) .. "1")}', deep],
  ['joins in source', 'return {v = load("return " .. ("a .. "):rep(4e4) .. "a")}', /nested/],
  [
    'opens brackets in source',
    'return {v = select(2, load("\\\\" .. ("[["):rep(1e5)))}',
    /syntax|unexpected|unfinished/,
  ],
  ['jumps much in source', 'return {v = load(("goto x "):rep(1e4) .. "::x::")}', /more than 500 jumps/],
  ['chains conditions in source', 'while true do load("x = a" .. (" and b"):rep(2e4)) end', /source is longer/],
  ['calls itself as a metatable', 'local t = setmetatable({}, {}) getmetatable(t).__call = t t()', deep],
  ['compiles much', 'return {v = load(("x = 1 "):rep(1e5))}', /source is longer/],
  ['compiles often', 'while true do load(("local a = 1 "):rep(100)) end', /source is longer/],
  ['decodes a deep list', 'return {v = json.decode(("["):rep(5e5))}', /\{\}|nested/],
  ['decodes a deep and closed list', 'return {v = json.decode(("["):rep(4e5) .. ("]"):rep(4e5))}', deep],
  ['decodes a long text', 'return {v = json.decode("[" .. ("1,"):rep(1e6) .. "1]")}', /JSON of more than/],
  ['decodes many tables', 'local s = "[" .. ("{},"):rep(3e5) .. "{}]" while true do json.decode(s) end', entries],
  [
    'encodes itself',
    'local t = {} t.t = t return {v = select(2, json.encode(t))}',
    /is nil inside a list|table inside itself/,
  ],
  ['returns a deep table', 'local t = {} for i = 1, 1e5 do t = {t} end return t', /tables deep/],
  ['reads a long number', 'return {v = tonumber(("9"):rep(4e6) .. "x")}', /\{\}/],
  [
    'compares long strings',
    'local a, b = ("x"):rep(4e6) .. "a", ("x"):rep(4e6) .. "b" while true do if a < b then end end',
    loop,
  ],
  ['keeps long keys', 'local t = {} for i = 1, 1e6 do t[("k"):rep(1e5) .. i] = i end', /strings take|loop/],
];

const isolate = createIsolate({ workers: 3 });
beforeAll(() => isolate.ready());
afterAll(() => isolate.close());

const run = (text: string) =>
  isolate.run(
    'runScript',
    JSON.stringify({
      script: makeScript('networking.istio.io/VirtualService', text, new Map()),
      obj: { data: { spec: {} } },
    }),
  );

const ended = async (text: string) => {
  const said = await run(text).catch((error: Error) => `${error.name}: ${error.message}`);
  return said.slice(0, 300);
};

test.each([...ESCAPES, ...BOMBS])(
  'a script that %s is ended by its limits, and another is served meanwhile',
  async (_, text, outcome) => {
    const [hostile, other] = await Promise.all([ended(text), ended('return {served = true}')]);
    // On a busy machine the clock may end a bomb before it reaches its own limit.
    expect(hostile).toMatch(new RegExp(`${outcome.source}|stopped after \\d+ ms`));
    expect(other).toBe('{"served":true}');
  },
);

test('the table holds forty escapes and bombs at least', () => {
  expect(ESCAPES.length + BOMBS.length).toBeGreaterThanOrEqual(40);
});

test('every failure names the script, as an error of its author', async () => {
  const failed = await Promise.all([...ESCAPES, ...BOMBS].slice(0, 20).map(([, text]) => ended(text)));
  const errors = failed.filter((said) => !said.startsWith('{'));
  expect(errors.filter((said) => !said.startsWith('ScriptError: networking.istio.io/VirtualService:'))).toEqual([]);
});
