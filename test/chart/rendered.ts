import { isList, isMap, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { readManifests } from '../../src/manifest/read.ts';
import { type Cluster, succeeded } from '../cluster/cluster.ts';
import type { CommandResult } from '../cluster/command.ts';
import { ROOT } from './chart-files.ts';

export const CHART = `${ROOT}chart`;

/** Helm's own idea of a cluster, where it asks none, is that of the day it was built. */
const VERSION = ['--kube-version', '1.30.0'];

/** The ways to install, each with values that bring every template in. */
export const MODES: Readonly<Record<string, JsonMap>> = {
  defaults: {},
  everything: {
    serviceMonitor: { enabled: true, labels: { team: 'a' } },
    networkPolicy: { enabled: true, metricsFrom: [{ namespaceSelector: {} }] },
    scripts: { data: { 'lua.traffic.routing.ingress.own': 'return obj.annotations\n' }, override: true },
    excludedNamespaces: ['kube-system', 'build'],
    imagePullSecrets: [{ name: 'pull' }],
    failurePolicy: { gateways: 'Ignore', workloads: 'Ignore' },
  },
  'cert-manager': { certificates: { mode: 'cert-manager' } },
  'cert-manager with an issuer of the user': {
    certificates: { mode: 'cert-manager', certManager: { issuerRef: { name: 'mine', kind: 'ClusterIssuer' } } },
  },
  'as little as possible': {
    crds: { install: false },
    webhook: { replicas: 1, podDisruptionBudget: { enabled: false } },
    controller: { replicas: 1, podDisruptionBudget: { enabled: false } },
  },
};

/** `helm template` with these values, whatever comes of it. */
export function template(helm: Cluster['helm'], values: JsonMap): Promise<CommandResult> {
  const words = ['template', 'sluice', CHART, '--namespace', 'sluice-system', ...VERSION, '--values', '-'];
  return helm(words, { stdin: JSON.stringify(values) });
}

/** `helm lint --strict` with these values. */
export function lint(helm: Cluster['helm'], values: JsonMap): Promise<CommandResult> {
  return helm(['lint', CHART, '--strict', ...VERSION, '--values', '-'], { stdin: JSON.stringify(values) });
}

/**
 * All objects that the chart makes of these values.
 * @throws for a template that fails, and for one whose text is no YAML
 */
export async function rendered(helm: Cluster['helm'], values: JsonMap): Promise<JsonMap[]> {
  const { documents, errors } = readManifests(succeeded(await template(helm, values)), 'rendered.yaml');
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return documents.map(({ value }) => value).filter(isMap);
}

/** The objects of one kind. */
export function ofKind(objects: readonly JsonMap[], kind: string): JsonMap[] {
  return objects.filter((object) => stringAt(object, 'kind') === kind);
}

/** The object of this kind and name. @throws when there is none */
export function object(objects: readonly JsonMap[], kind: string, name: string): Json {
  const found = ofKind(objects, kind).find((candidate) => stringAt(candidate, 'metadata', 'name') === name);
  if (found === undefined) throw new Error(`the chart makes no ${kind} ${name}`);
  return found;
}

/** The entries of a list; none where there is no list. */
export function list(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}
