import type { Client } from '../../src/kube/client.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { KUBELET_PORT, NODES, type NodeAddress } from './network.ts';

const NODE: Resource = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };

/** Enough that the scheduler never runs out: nothing holds processes to their requests. */
const CAPACITY = { cpu: '32', memory: '128Gi', 'ephemeral-storage': '100Gi', pods: '110' };

/** Registers the nodes as their kubelets would, ready. */
export async function createNodes(client: Client): Promise<void> {
  await Promise.all(NODES.map((node) => createNode(client, node)));
}

async function createNode(client: Client, { name, zone, address, podPrefix }: NodeAddress): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': process.arch === 'arm64' ? 'arm64' : 'amd64',
    'topology.kubernetes.io/zone': zone,
  };
  const spec = { podCIDR: `${podPrefix}.0/24`, podCIDRs: [`${podPrefix}.0/24`] };
  await client.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec });
  const now = new Date().toISOString();
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'KubeletReady',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  };
  const status = {
    capacity: CAPACITY,
    allocatable: CAPACITY,
    conditions: [ready],
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: KUBELET_PORT } },
  };
  await client.patch(NODE, { name }, 'merge', { status }, { subresource: 'status' });
  // Admission taints every new node as not ready; the node lifecycle controller would take that away.
  await client.patch(NODE, { name }, 'merge', { spec: { taints: null } });
}
