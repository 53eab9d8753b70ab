import { at, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import type { Client } from '../kube/client.ts';
import { RESOURCES, type Resource } from '../kube/resource.ts';

/** The names that the manager of OpenKruise Rollouts is installed under, by its manifests and by its chart. */
export const PREDECESSOR = {
  deployment: 'kruise-rollout-controller-manager',
  mutatingConfiguration: 'kruise-rollout-mutating-webhook-configuration',
  validatingConfiguration: 'kruise-rollout-validating-webhook-configuration',
} as const;

/** What of the original manager is in the way. */
export type Predecessor = {
  /** `<namespace>/<name>` of each manager Deployment that runs, or is to run, pods. */
  readonly managers: readonly string[];
  /** The webhook configurations that are there. */
  readonly configurations: readonly string[];
};

/**
 * Looks for the manager of OpenKruise Rollouts. Two controllers of one API would undo each other's work, and its webhooks
 * refuse writes once nobody answers them. A manager that is scaled to 0 is not in the way.
 * @returns undefined when nothing is in the way
 * @throws as {@link Client.get}
 */
export async function findPredecessor(client: Client): Promise<Predecessor | undefined> {
  const managers: string[] = [];
  const selection = { fieldSelector: `metadata.name=${PREDECESSOR.deployment}` };
  for await (const deployment of client.listAll(RESOURCES.deployment, selection)) {
    const pods = [at(deployment, ['spec', 'replicas']), at(deployment, ['status', 'replicas'])];
    if (pods.every((count) => count === 0 || count === undefined)) continue;
    managers.push(`${stringAt(deployment, 'metadata', 'namespace')}/${PREDECESSOR.deployment}`);
  }
  const found = await Promise.all([
    exists(client, RESOURCES.mutatingWebhookConfiguration, PREDECESSOR.mutatingConfiguration),
    exists(client, RESOURCES.validatingWebhookConfiguration, PREDECESSOR.validatingConfiguration),
  ]);
  const configurations = found.filter((name) => name !== undefined);
  return managers.length + configurations.length === 0 ? undefined : { managers, configurations };
}

async function exists(client: Client, resource: Resource, name: string): Promise<string | undefined> {
  try {
    await client.get(resource, { name });
    return name;
  } catch (error) {
    if (outcomeOf(error) === 'gone') return undefined;
    throw error;
  }
}

/** Why Sluice does not start beside it, and the way to go. */
export function predecessorMessage({ managers, configurations }: Predecessor): string {
  const kinds: Readonly<Record<string, string>> = {
    [PREDECESSOR.mutatingConfiguration]: 'mutatingwebhookconfiguration',
    [PREDECESSOR.validatingConfiguration]: 'validatingwebhookconfiguration',
  };
  const commands = [
    ...managers.map((manager) => {
      const [namespace, name] = manager.split('/');
      return `kubectl -n ${namespace} scale deployment ${name} --replicas=0`;
    }),
    ...configurations.map((name) => `kubectl delete ${kinds[name]} ${name}`),
  ];
  return [
    `the manager of OpenKruise Rollouts is installed in this cluster (${[...managers, ...configurations].join(', ')}),`,
    "and two controllers of one API would undo each other's work. When no release is in progress, run:",
    ...commands.map((command) => `  ${command}`),
    'Rollouts, scripts and CRDs stay as they are. docs/migrate-from-kruise-rollouts.md has all steps.',
  ].join('\n');
}
