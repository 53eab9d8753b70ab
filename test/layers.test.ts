import { globSync, readFileSync } from 'node:fs';
import { dirname, normalize, relative } from 'node:path';
import { expect, test } from 'vitest';

/** Folders of src and the folders each may import from (itself always). Imports point inwards. */
const LAYERS: Record<string, readonly string[]> = {
  json: [],
  manifest: ['json'],
  api: ['json', 'manifest'],
  lua: ['json'],
  rewrite: ['json', 'api', 'lua'],
  rollout: ['json', 'api', 'lua', 'rewrite'],
  release: ['json', 'api', 'lua', 'rewrite', 'rollout'],
  isolate: ['json', 'api', 'lua', 'rewrite'],
  admission: ['json', 'api', 'lua', 'rewrite', 'rollout', 'release', 'isolate'],
  tls: [],
  kube: ['json'],
  controller: ['json', 'manifest', 'api', 'lua', 'rewrite', 'rollout', 'release', 'isolate', 'kube'],
  registration: ['json', 'manifest', 'api', 'admission', 'kube'],
  manager: ['json', 'api', 'lua', 'isolate', 'admission', 'kube', 'tls', 'controller', 'registration'],
  server: ['json', 'api', 'admission', 'tls'],
  webhook: ['json', 'api', 'lua', 'rewrite', 'rollout', 'release', 'isolate', 'admission', 'server', 'tls', 'kube'],
  cli: [
    'json',
    'manifest',
    'api',
    'lua',
    'rewrite',
    'rollout',
    'release',
    'isolate',
    'admission',
    'server',
    'tls',
    'kube',
    'controller',
    'registration',
    'webhook',
    'manager',
  ],
};

/** Packages and the one folder that owns each. A package that is not listed may be used anywhere. */
const OWNERS: Record<string, string> = {
  express: 'server',
  pino: 'server',
  'prom-client': 'server',
  '@kubernetes/client-node': 'kube',
  fengari: 'lua',
  'node-forge': 'tls',
  commander: 'cli',
  yaml: 'manifest',
  ajv: 'api',
  re2js: 'api',
};

const IO_FREE = ['json', 'rewrite', 'rollout', 'release'];

type Import = { file: string; layer: string; from: string };

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const layer = relative('src', file).split('/')[0] ?? '';
  const names = text.matchAll(/(?:from|import|import\(|require\()\s*\(?['"]([^'"]+)['"]/g);
  return [...names].map(([, from = '']) => ({ file, layer, from }));
}

const files = globSync('src/*/**/*.ts').filter((file) => !file.endsWith('.test.ts'));
const imports = files.flatMap(importsOf);

test('every folder of src has a place in the layers', () => {
  const folders = new Set(files.map((file) => relative('src', file).split('/')[0] ?? ''));
  expect([...folders].filter((folder) => !(folder in LAYERS))).toEqual([]);
});

test('imports point inwards only', () => {
  const wrong = imports.filter(({ file, layer, from }) => {
    if (!from.startsWith('.')) return false;
    const target = relative('src', normalize(`${dirname(file)}/${from}`)).split('/')[0] ?? '';
    return target !== layer && target !== '..' && !LAYERS[layer]?.includes(target);
  });
  expect(wrong).toEqual([]);
});

test('each package has one folder that owns it', () => {
  const wrong = imports.filter(({ layer, from }) => {
    const name = from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : (from.split('/')[0] ?? '');
    const owner = OWNERS[name];
    return owner !== undefined && owner !== layer;
  });
  expect(wrong).toEqual([]);
});

test('the pure core imports nothing that does I/O or tells the time', () => {
  const io = /^node:(fs|net|http|https|tls|child_process|worker_threads|os|process|timers|dns|perf_hooks)/;
  expect(imports.filter(({ layer, from }) => IO_FREE.includes(layer) && io.test(from))).toEqual([]);
});
