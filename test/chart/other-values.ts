import type { Json } from '../../src/json/value.ts';

const CERT_MANAGER = { 'certificates.mode': 'cert-manager' };
const OWN_ISSUER = { ...CERT_MANAGER, 'certificates.certManager.issuerRef.name': 'mine' };

type Other = {
  /** Another value than the default. */
  readonly value: Json;
  /** Values that have to be set as well, or this one means nothing. */
  readonly given?: Readonly<Record<string, Json>>;
};

const HALF: Readonly<Record<string, Other>> = {
  replicas: { value: 5 },
  resources: { value: { requests: { cpu: '2' } } },
  'podDisruptionBudget.enabled': { value: false },
  priorityClassName: { value: 'system-cluster-critical' },
  nodeSelector: { value: { disk: 'ssd' } },
  tolerations: { value: [{ key: 'gpu', operator: 'Exists' }] },
  affinity: { value: { nodeAffinity: {} } },
  topologySpreadConstraints: { value: [{ topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }] },
  podLabels: { value: { team: 'a' } },
  podAnnotations: { value: { team: 'a' } },
};

/** For each value of the chart, by its path, one that has to make a difference. */
export const OTHER_VALUES: Readonly<Record<string, Other>> = {
  'image.repository': { value: 'other/sluice' },
  'image.tag': { value: 'v2' },
  'image.digest': { value: `sha256:${'0'.repeat(64)}` },
  'image.pullPolicy': { value: 'Always' },
  imagePullSecrets: { value: [{ name: 'pull' }] },
  logLevel: { value: 'debug' },
  'failurePolicy.gateways': { value: 'Ignore' },
  'failurePolicy.workloads': { value: 'Ignore' },
  'failurePolicy.pods': { value: 'Fail' },
  excludedNamespaces: { value: ['a', 'b'] },
  'certificates.mode': { value: 'cert-manager' },
  'certificates.lifetime': { value: '1h30m' },
  'certificates.certManager.issuerRef.name': { value: 'mine', given: CERT_MANAGER },
  'certificates.certManager.issuerRef.kind': { value: 'ClusterIssuer', given: OWN_ISSUER },
  'certificates.certManager.issuerRef.group': { value: 'issuers.example.com', given: OWN_ISSUER },
  'crds.install': { value: false },
  'scripts.data': { value: { 'lua.traffic.routing.ingress.own': 'return obj.annotations\n' } },
  'scripts.override': { value: true, given: { 'scripts.data': { k: 'return {}' } } },
  ...Object.fromEntries(
    ['webhook', 'controller'].flatMap((half) =>
      Object.entries(HALF).map(([key, other]) => [`${half}.${key}`, other] as const),
    ),
  ),
  'webhook.drainSeconds': { value: 3 },
  'webhook.port': { value: 10250 },
  'webhook.metricsPort': { value: 10251 },
  'webhook.hostNetwork': { value: true },
  'serviceMonitor.enabled': { value: true },
  'serviceMonitor.interval': { value: '5s', given: { 'serviceMonitor.enabled': true } },
  'serviceMonitor.labels': { value: { release: 'prometheus' }, given: { 'serviceMonitor.enabled': true } },
  'networkPolicy.enabled': { value: true },
  'networkPolicy.metricsFrom': { value: [{ podSelector: {} }], given: { 'networkPolicy.enabled': true } },
};
