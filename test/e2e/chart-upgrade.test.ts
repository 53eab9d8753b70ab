import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, isList, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { writeYaml } from '../../src/manifest/write.ts';
import { yamlFile } from '../chart/chart-files.ts';
import { CHART } from '../chart/rendered.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import { rollout } from './rollout-controller.ts';

const server = cluster();
const { client, helm, kubectl } = server;
const NAMESPACE = 'sluice-system';
const CRDS = ['rollouts.rollouts.kruise.io', 'trafficroutings.rollouts.kruise.io'];
const STEP = ['spec', 'strategy', 'canary', 'steps'];
const folder = mkdtempSync(join(tmpdir(), 'sluice-older-chart-'));
let shop = '';

const release = (verb: 'install' | 'upgrade', chart: string) =>
  helm([verb, 'sluice', chart, '--namespace', NAMESPACE, '--wait', '--timeout=90s']);

beforeAll(async () => {
  // Those that an earlier file left would keep what the older ones do not have.
  succeeded(await kubectl(['delete', 'crd', ...CRDS, '--ignore-not-found', '--timeout=60s']));
  await kubectl(['create', 'namespace', NAMESPACE]);
  shop = await server.namespace();
  succeeded(await release('install', olderChart()));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await helm(['uninstall', 'sluice', '--namespace', NAMESPACE, '--wait']);
});

/** The chart from before there was a mirror in a step. */
function olderChart(): string {
  const chart = join(folder, 'chart');
  cpSync(CHART, chart, { recursive: true });
  const file = `files/crds/${CRDS[0]}.yaml`;
  const crd = JSON.parse(JSON.stringify(yamlFile(`chart/${file}`)));
  for (const version of crd.spec.versions) delete stepOf(version)['mirror'];
  writeFileSync(join(chart, file), writeYaml(crd));
  return chart;
}

/** The properties of a step in one version of the CRD. */
function stepOf(version: Json): Record<string, Json> {
  const path = STEP.flatMap((key) => ['properties', key]);
  return at(version, ['schema', 'openAPIV3Schema', ...path, 'items', 'properties']) as Record<string, Json>;
}

const stored = () => client.get(RESOURCES.customResourceDefinition, { name: CRDS[0] ?? '' });

async function hasMirror(): Promise<boolean> {
  const versions = at(await stored(), ['spec', 'versions']);
  const beta = (isList(versions) ? versions : []).find((version) => stringAt(version, 'name') === 'v1beta1');
  return stepOf(beta ?? {})['mirror'] !== undefined;
}

/** A Rollout with a field that only the newer CRD knows. */
function mirrored(): JsonMap {
  const copy = JSON.parse(JSON.stringify(rollout()));
  copy.spec.strategy.canary.steps[0].mirror = { percent: 5 };
  return copy;
}

const applied = () => kubectl(['apply', '-n', shop, '-f', '-'], { stdin: JSON.stringify(mirrored()) });

test('an upgrade brings the CRDs up to date, and leaves their conversion to the controller', async () => {
  const isWired = async () => stringAt(await stored(), 'spec', 'conversion', 'strategy') === 'Webhook';
  await until('the conversion', isWired);
  expect(await hasMirror()).toBe(false);
  expect((await applied()).stderr).toContain('unknown field "spec.strategy.canary.steps[0].mirror"');

  succeeded(await release('upgrade', CHART));
  expect([await hasMirror(), await isWired()]).toEqual([true, true]);
  await until('the new field to be taken', async () => (await applied()).exitCode === 0);
  const { spec } = await client.get(RESOURCES.rollout, { namespace: shop, name: 'web' });
  expect(at(spec, [...STEP.slice(1), 0, 'mirror'])).toEqual({ percent: 5 });
});

test('an uninstall leaves the CRDs as they are, and every Rollout with them', async () => {
  const read = () => client.get(RESOURCES.rollout, { namespace: shop, name: 'web' });
  const { spec } = await read();
  succeeded(await helm(['uninstall', 'sluice', '--namespace', NAMESPACE, '--wait']));
  succeeded(await kubectl(['get', 'crd', ...CRDS]));
  expect(await hasMirror()).toBe(true);
  expect((await read())['spec']).toEqual(spec);
});
