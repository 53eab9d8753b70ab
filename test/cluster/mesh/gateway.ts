import type { JsonMap } from '../../../src/json/value.ts';
import { field, XDS_PORT } from './control-plane.ts';

const ADMIN_PORT = 15000;

/**
 * A stock Envoy as Istio's ingress gateway: the pods that a Gateway with the selector `istio: ingressgateway` means. It
 * listens on the ports of such Gateways.
 * @param program the path of Envoy
 */
export function ingressGateway(namespace: string, program: string): JsonMap {
  const labels = { istio: 'ingressgateway' };
  const container = {
    name: 'envoy',
    image: 'program',
    command: [program],
    args: [
      '--config-yaml',
      JSON.stringify(bootstrap(namespace, labels)),
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '--log-level',
      'warning',
    ],
    env: [field('POD_IP', 'status.podIP'), field('POD_NAME', 'metadata.name')],
    ports: [{ name: 'admin', containerPort: ADMIN_PORT }],
    readinessProbe: { httpGet: { path: '/ready', port: 'admin' }, periodSeconds: 1 },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'ingressgateway' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
    },
  };
}

/** What Envoy knows by itself: who it is, and where everything else comes from. `$(…)` are filled in by the kubelet. */
function bootstrap(namespace: string, labels: JsonMap): JsonMap {
  const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  return {
    node: {
      // Istio reads its proxies' kind, address and name out of this.
      id: `router~$(POD_IP)~$(POD_NAME).${namespace}~${namespace}.svc.cluster.local`,
      cluster: `ingressgateway.${namespace}`,
      metadata: { NAMESPACE: namespace, NAME: '$(POD_NAME)', CLUSTER_ID: 'Kubernetes', LABELS: labels },
    },
    admin: { address: address('$(POD_IP)', ADMIN_PORT) },
    dynamic_resources: {
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      lds_config: ads,
      cds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          type: 'STRICT_DNS',
          dns_lookup_family: 'V4_ONLY',
          typed_extension_protocol_options: http2,
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [
              {
                lb_endpoints: [{ endpoint: { address: address(`istiod.${namespace}.svc.cluster.local`, XDS_PORT) } }],
              },
            ],
          },
        },
      ],
    },
  };
}

function address(host: string, port: number): JsonMap {
  return { socket_address: { address: host, port_value: port } };
}
