import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { connect } from './connection.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Context = { readonly name: string; readonly cluster: string; readonly namespace?: string };

/** A kubeconfig with one cluster for each of its contexts. */
function file(name: string, contexts: readonly Context[], current?: string): string {
  const path = join(folder, name);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: contexts.map(({ cluster }) => ({
      name: cluster,
      cluster: { server: `https://${cluster}.${name}.test` },
    })),
    contexts: contexts.map(({ name: context, ...rest }) => ({ name: context, context: { ...rest, user: 'u' } })),
    users: [{ name: 'u', user: {} }],
    ...(current === undefined ? {} : { 'current-context': current }),
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const first = file('first', [{ name: 'a', cluster: 'x', namespace: 'shop' }]);
const second = file(
  'second',
  [
    { name: 'a', cluster: 'x' },
    { name: 'b', cluster: 'y' },
  ],
  'b',
);
const missing = join(folder, 'missing');
const broken = join(folder, 'broken');
writeFileSync(broken, '{"clusters": [');

test.each([
  ['one file, with a context', { kubeconfig: first, context: 'a', env: {} }, 'https://x.first.test', 'shop'],
  ['its current context', { kubeconfig: second, env: {} }, 'https://y.second.test', undefined],
  ['the variable', { env: { KUBECONFIG: second } }, 'https://y.second.test', undefined],
  [
    'several files: what the first names wins, the current context is the first that is named',
    { env: { KUBECONFIG: [first, second].join(delimiter) } },
    'https://y.second.test',
    undefined,
  ],
  [
    'several files and a context that two of them name',
    { context: 'a', env: { KUBECONFIG: [missing, first, second].join(delimiter) } },
    'https://x.first.test',
    'shop',
  ],
  [
    'a flag wins over the variable',
    { kubeconfig: second, env: { KUBECONFIG: first } },
    'https://y.second.test',
    undefined,
  ],
])('the cluster and the namespace are those of %s', (_, access, server, namespace) => {
  const connection = connect(access);
  expect([connection.server, connection.namespace]).toEqual([server, namespace]);
  connection.close();
});

test.each([
  ['no such file', { kubeconfig: missing, env: {} }, `there is no kubeconfig ${missing}`],
  [
    'no file of several',
    { env: { KUBECONFIG: [missing, `${missing}2`].join(delimiter) } },
    `none of the kubeconfig files is there: ${missing}, ${missing}2`,
  ],
  ['no YAML', { kubeconfig: broken, env: {} }, `the kubeconfig ${broken} cannot be read: `],
  ['no such context', { kubeconfig: second, context: 'c', env: {} }, 'the kubeconfig has no context "c"; it has a, b'],
  ['no current context', { kubeconfig: first, env: {} }, 'the kubeconfig has no current context'],
])('%s is an error that says what is wrong', (_, access, message) => {
  expect(() => connect(access)).toThrow(message);
});
