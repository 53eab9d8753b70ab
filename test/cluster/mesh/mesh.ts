import type { JsonMap } from '../../../src/json/value.ts';
import { programPath } from '../build.ts';
import { type Cluster, succeeded } from '../cluster.ts';
import { definitionsPath } from '../definitions.ts';
import { until } from '../until.ts';
import { istiod } from './control-plane.ts';
import { envoyPath } from './envoy-program.ts';
import { ingressGateway } from './gateway.ts';

/** Not a port of any image: Envoy listens on it for all addresses. */
const GATEWAY_PORT = 9080;

/** Istio's control plane and an Envoy that it steers, as the gateway in front of a cluster. */
export type Mesh = {
  readonly namespace: string;
  /** Where the gateway answers once a Gateway has opened {@link GATEWAY_PORT}; the host says which VirtualService is meant. */
  readonly host: string;
  readonly port: number;
  /** A Gateway of this name that hands requests for all hosts to the VirtualServices that name it. */
  gateway(name: string): JsonMap;
  /** What Envoy's admin interface answers: `/config_dump`, `/clusters`, `/stats`. */
  admin(path: string): Promise<string>;
  /** What the control plane has logged, with times. */
  log(since: Date): Promise<string>;
  /** How often Envoy was started again, which is never meant. */
  restarts(): Promise<number>;
  stop(): Promise<void>;
};

/** Starts a mesh in a namespace of its own; returns when Envoy has its first configuration. */
export async function startMesh(cluster: Cluster): Promise<Mesh> {
  const { kubectl } = cluster;
  succeeded(await kubectl(['apply', '--server-side', '-f', definitionsPath('istio')]));
  const namespace = await cluster.namespace();
  const control = istiod(namespace, await programPath('pilot-discovery'));
  await cluster.apply(namespace, ...control, ingressGateway(namespace, envoyPath()));
  const host = await until(
    'Envoy to be ready',
    async () => {
      const pod = await gatewayPod(cluster, namespace);
      return pod.isReady && pod.address;
    },
    60,
  );
  return {
    namespace,
    host,
    port: GATEWAY_PORT,
    gateway: (name) => ({
      apiVersion: 'networking.istio.io/v1beta1',
      kind: 'Gateway',
      metadata: { name },
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: GATEWAY_PORT, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
      },
    }),
    admin: async (path) => (await fetch(`http://${host}:15000${path}`)).text(),
    async log(since) {
      const args = [
        'logs',
        '-n',
        namespace,
        'deployment/istiod',
        '--timestamps',
        `--since-time=${since.toISOString()}`,
      ];
      return succeeded(await kubectl(args));
    },
    restarts: async () => (await gatewayPod(cluster, namespace)).restarts,
    async stop() {
      const kinds = ['deployment', 'service', 'configmap'];
      succeeded(await kubectl(['delete', kinds.join(), '--all', '-n', namespace, '--wait=false']));
      succeeded(await kubectl(['delete', 'clusterrolebinding', namespace]));
    },
  };
}

type GatewayPod = { readonly address: string; readonly isReady: boolean; readonly restarts: number };

async function gatewayPod({ kubectl }: Cluster, namespace: string): Promise<GatewayPod> {
  const args = ['get', 'pods', '-n', namespace, '-l', 'istio=ingressgateway', '-o', 'json'];
  const [pod] = JSON.parse(succeeded(await kubectl(args))).items;
  const [container] = pod?.status?.containerStatuses ?? [];
  return {
    address: pod?.status?.podIP ?? '',
    isReady: container?.ready === true,
    restarts: container?.restartCount ?? 0,
  };
}
