import { type FailurePolicies, ROUTE_TABLE } from '../admission/routes.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import { type RuleKind, refusalOf } from './kinds.ts';
import { joinedConditions } from './match-conditions.ts';
import { neverMatched } from './namespaces.ts';
import { withKinds } from './rules.ts';
import type { Template } from './templates.ts';

/** What only an installation knows. */
export type RenderInputs = {
  /** Ours: where the Service is, and never matched. */
  readonly namespace: string;
  /** The certificates of all CAs that are trusted now, in PEM. */
  readonly bundle: string;
  readonly failurePolicies: FailurePolicies;
  readonly excludedNamespaces: readonly string[];
  /** The paths that are to be called. */
  readonly paths: ReadonlySet<string>;
  /** Kinds that Rollouts name, for the gateways' entry; none that {@link refusalOf} refuses. */
  readonly kinds: readonly RuleKind[];
  /** Our ClusterRole: with it the configurations go. */
  readonly owner: { readonly name: string; readonly uid: string };
  /** Entries of an earlier or later version of ours that stay for now, by the name of the configuration. */
  readonly retained: ReadonlyMap<string, readonly JsonMap[]>;
};

export const SERVICE = 'sluice-webhook';
const PORT = 443;

/** Keys that our objects carry, so that whoever finds one knows whose it is. */
const OWN_LABELS = { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/managed-by': 'sluice-controller' };

/**
 * A webhook configuration as it should stand in the cluster. All fields that an API server would default are written
 * out, so that a stored object can be compared with it.
 */
export function render({ kind, name, entries }: Template, inputs: RenderInputs): JsonMap {
  const inForce = entries.filter(({ path }) => inputs.paths.has(path));
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name, labels: OWN_LABELS, ownerReferences: [ownerReference(inputs.owner)] },
    webhooks: [
      ...inForce.map(({ path, webhook }) => {
        const matchConditions = joinedConditions(webhook['matchConditions'], inputs.namespace);
        return installed({ ...webhook, matchConditions, ...chosen(path, webhook, inputs) }, inputs);
      }),
      ...(inputs.retained.get(name) ?? []).map((webhook) => installed(webhook, inputs)),
    ],
  };
}

/** What values and Rollouts decide about an entry. */
function chosen(path: string, webhook: JsonMap, { failurePolicies, kinds }: RenderInputs): JsonMap {
  if (path === ROUTE_TABLE.workload.path) return { failurePolicy: failurePolicies.workload };
  if (path === ROUTE_TABLE.pod.path) return { failurePolicy: failurePolicies.pod };
  if (path !== ROUTE_TABLE.gateway.path) return {};
  for (const kind of kinds) {
    const refusal = refusalOf(kind);
    if (refusal !== undefined) throw new Error(`no rule may name ${kind.plural}.${kind.group}: ${refusal}`);
  }
  return { failurePolicy: failurePolicies.gateway, rules: withKinds(webhook['rules'] ?? [], kinds) };
}

/** An entry with where it calls, whom it trusts and which namespaces it never sees. */
function installed(webhook: JsonMap, { namespace, bundle, excludedNamespaces }: RenderInputs): JsonMap {
  const never = neverMatched(namespace, excludedNamespaces);
  const { service } = isMap(webhook['clientConfig']) ? webhook['clientConfig'] : {};
  return {
    objectSelector: {},
    ...webhook,
    clientConfig: {
      service: { ...serviceOf(service), name: SERVICE, namespace, port: PORT },
      caBundle: base64(bundle),
    },
    namespaceSelector: {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: never }],
    },
  };
}

function serviceOf(service: Json | undefined): JsonMap {
  return isMap(service) ? service : {};
}

/** The owner of a cluster-scoped object has to be cluster-scoped itself. Nothing waits for its deletion to be ended. */
function ownerReference({ name, uid }: RenderInputs['owner']): JsonMap {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name, uid };
}

/** `caBundle` fields hold PEM text in base64. */
export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
