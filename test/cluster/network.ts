/** Addresses of the test cluster. All of them are local to the network namespace ("AnyIP" routes), none leaves it. */
export const POD_RANGE = '10.244.0.0/16';
export const SERVICE_RANGE = '10.96.0.0/16';

/** The first address of the pods' range stands for the control plane: EndpointSlices refuse loopback addresses. */
export const API_SERVER = { host: '10.244.0.1', port: 6443 } as const;
export const API_SERVER_URL = `https://${API_SERVER.host}:${API_SERVER.port}`;
/** What the API server gives its own Service, `kubernetes` in `default`: the first address of the range. */
export const KUBERNETES_SERVICE = '10.96.0.1';

/** The name server of the pods. Services get other addresses: the first 256 of the range are given on demand only. */
export const DNS_ADDRESS = '10.96.0.10';
export const ETCD_URL = 'http://127.0.0.1:2379';

/** Where the API server finds the log endpoint of a node. */
export const KUBELET_PORT = 10250;

export type NodeAddress = {
  readonly name: string;
  readonly zone: string;
  readonly address: string;
  /** The first three numbers of its pods' addresses. */
  readonly podPrefix: string;
};

/** Two nodes, so that spreading over nodes can be seen. */
export const NODES: readonly NodeAddress[] = [
  { name: 'node-1', zone: 'zone-a', address: '10.244.0.11', podPrefix: '10.244.1' },
  { name: 'node-2', zone: 'zone-b', address: '10.244.0.12', podPrefix: '10.244.2' },
];
