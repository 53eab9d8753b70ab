import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonMap, stringAt } from '../../../src/json/value.ts';
import { withPath } from '../../api-server/fields.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import { runProgram } from '../../cluster/command.ts';
import type { Committed, Deployer, Status } from './deployer.ts';

type ArgoVerdict = { application: string; status: Status; change: JsonMap; error?: string };

/** An Application with the options that decide how it is compared and synced, as text between commas or in the list. */
export function application(compareOptions: string, syncOptions: readonly string[] = []): JsonMap {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { annotations: { 'argocd.argoproj.io/compare-options': compareOptions } },
    spec: { syncPolicy: { syncOptions } },
  };
}

/**
 * Argo CD that syncs by the first of these Applications and compares by each of them.
 * @param applications by the name of the setting
 * @param flags further documents: the ConfigMap with the flags of Argo CD's controller
 */
export function argoCd(
  name: string,
  applications: Readonly<Record<string, JsonMap>>,
  flags: readonly JsonMap[] = [],
): Deployer {
  const named = Object.entries(applications).map(([setting, each]) => withPath(each, ['metadata', 'name'], setting));
  const settings = [...named, ...flags];
  return {
    name,
    settings: Object.keys(applications),
    async apply(cluster, committed) {
      return (JSON.parse(await run(cluster, 'sync', settings, committed)) as { warnings: string[] }).warnings;
    },
    async verdicts(cluster, committed) {
      const found = JSON.parse(await run(cluster, 'diff', settings, committed)) as ArgoVerdict[];
      return found.map(({ application: setting, status, change, error }) => ({
        setting,
        status,
        reason: error ?? change,
      }));
    },
  };
}

async function run(
  cluster: Cluster,
  command: 'diff' | 'sync',
  settings: readonly JsonMap[],
  { namespace, source }: Committed,
): Promise<string> {
  const file = join(cluster.facts.folder, `settings-${randomBytes(6).toString('hex')}.yaml`);
  writeFileSync(file, settings.map((document) => JSON.stringify(document)).join('\n---\n'));
  const stdin = JSON.stringify(tracked(source, namespace));
  return succeeded(await runProgram(cluster.facts, 'argocd-verdict', [command, namespace, file], { stdin }));
}

/** With the annotation by which Argo CD knows its objects: `<application>:<group>/<kind>:<namespace>/<name>`. */
function tracked(source: JsonMap, namespace: string): JsonMap {
  const [group] = /^[^/]*(?=\/)/.exec(stringAt(source, 'apiVersion') ?? '') ?? [''];
  const id = `web:${group}/${stringAt(source, 'kind')}:${namespace}/${stringAt(source, 'metadata', 'name')}`;
  return withPath(source, ['metadata', 'annotations', 'argocd.argoproj.io/tracking-id'], id);
}
