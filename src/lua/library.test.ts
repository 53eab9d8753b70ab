import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findScript, type Library, loadLibrary, type ScriptRequest } from './library.ts';
import { runScript } from './run.ts';
import { makeScript } from './script.ts';

const directory = mkdtempSync(join(tmpdir(), 'scripts-'));
afterAll(() => rmSync(directory, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}

write('networking.istio.io/VirtualService/trafficRouting.lua', 'local w = require("weights") return w');
write('networking.istio.io/VirtualService/testdata/case.lua', 'not a script');
write('v1/Service/trafficRouting.lua', 'return {}');
write('ingress/nginx.lua', 'return {nginx = "1"}');
write('modules/weights.lua', 'local round = require "round" return {w = round.r}');
write('modules/round.lua', 'return {r = "round"}');
const library = loadLibrary(directory);

const custom = (kind: string, group = 'networking.istio.io'): ScriptRequest => ({ contract: 'custom', group, kind });
const ingress = (classType: string): ScriptRequest => ({ contract: 'ingress', classType });
const user = (key: string, override = false) => ({ data: { [key]: 'return {user = "1"}' }, override });

test('a library is what its folders say: groups and kinds, ingress classes, modules', () => {
  expect([...library.scripts.keys()].sort()).toEqual([
    'ingress/nginx',
    'networking.istio.io/VirtualService',
    'v1/Service',
  ]);
  expect([...library.modules.keys()].sort()).toEqual(['round', 'weights']);
});

test('a script carries the modules that it requires, and those that they require', () => {
  const script = library.scripts.get('networking.istio.io/VirtualService');
  expect(Object.keys(script?.modules ?? {}).sort()).toEqual(['round', 'weights']);
  expect(script && runScript(script, {}).value).toEqual({ w: 'round' });
  expect(library.scripts.get('ingress/nginx')?.modules).toEqual({});
});

test('a directory that cannot be read is an error', () => {
  write('ingress/broken.lua/x', '');
  expect(() => loadLibrary(directory)).toThrow('EISDIR');
  rmSync(join(directory, 'ingress/broken.lua'), { recursive: true });
  expect(() => loadLibrary(join(directory, 'absent'))).toThrow('ENOENT');
});

const vs = 'lua.traffic.routing.VirtualService.networking.istio.io';
const nginx = 'lua.traffic.routing.ingress.nginx';

test.each<[string, ScriptRequest, { data: Record<string, string>; override: boolean } | undefined, object | undefined]>(
  [
    ['a shipped script is found', custom('VirtualService'), undefined, { from: 'bundled' }],
    [
      'for a custom kind it wins over the ConfigMap',
      custom('VirtualService'),
      user(vs),
      { from: 'bundled', shadows: 'configmap' },
    ],
    [
      'the override makes the ConfigMap win',
      custom('VirtualService'),
      user(vs, true),
      { from: 'configmap', shadows: 'bundled' },
    ],
    [
      'a kind that only the ConfigMap knows',
      custom('Route', 'example.com'),
      user('lua.traffic.routing.Route.example.com'),
      { from: 'configmap' },
    ],
    ['a kind that nobody knows', custom('Route', 'example.com'), user(vs), undefined],
    ['the core group is called v1', custom('Service', ''), undefined, { from: 'bundled' }],
    ['an ingress class is found', ingress('nginx'), undefined, { from: 'bundled' }],
    ['no class means nginx', ingress(''), undefined, { from: 'bundled' }],
    [
      'for an ingress class the ConfigMap wins',
      ingress('nginx'),
      user(nginx),
      { from: 'configmap', shadows: 'bundled' },
    ],
    [
      'the override changes nothing there',
      ingress('nginx'),
      user(nginx, true),
      { from: 'configmap', shadows: 'bundled' },
    ],
    ['an unknown class', ingress('traefik'), user(nginx), undefined],
    ['a class named like an object member', ingress('constructor'), { data: {}, override: false }, undefined],
  ],
)('%s', (_, request, scripts, expected) => {
  const found = findScript(request, library, scripts);
  expect(found && { ...found, script: undefined }).toEqual(expected && { ...expected, script: undefined });
});

test('a script of the ConfigMap may require shipped modules and is named like a shipped one', () => {
  const data = { [nginx]: 'return require("round")' };
  const script = findScript(ingress('nginx'), library, { data, override: false })?.script;
  expect(script?.name).toBe('ingress/nginx');
  expect(script && runScript(script, {}).value).toEqual({ r: 'round' });
});

test('the hash is of the text and of all modules, and of nothing else', () => {
  const hash = (name: string, text: string, module: string) =>
    makeScript(
      name,
      text,
      new Map([
        ['m', module],
        ['unused', module],
      ]),
    ).hash;
  const text = 'return require("m")';
  expect(hash('a', text, '1')).toMatch(/^[0-9a-f]{32}$/);
  expect(hash('b', text, '1')).toBe(hash('a', text, '1'));
  expect(hash('a', text, '2')).not.toBe(hash('a', text, '1'));
  expect(hash('a', 'return {}', '2')).toBe(hash('a', 'return {}', '1'));
  expect(hash('a', `${text} `, '1')).not.toBe(hash('a', text, '1'));
});

test('modules that require each other are both carried', () => {
  const modules = new Map([
    ['a', 'require("b")'],
    ['b', 'require("a")'],
  ]);
  expect(Object.keys(makeScript('s', 'require("a")', modules).modules).sort()).toEqual(['a', 'b']);
});

test('the shipped library can be read', () => {
  const shipped: Library = loadLibrary();
  expect([...shipped.scripts.values()].every(({ text }) => text.length > 0)).toBe(true);
});
