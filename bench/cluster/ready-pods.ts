import type { JsonMap } from '../../src/json/value.ts';
import { isList, member, stringAt } from '../../src/json/value.ts';
import { outcomeOf } from '../../src/kube/api-error.ts';
import { Client } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { objectPath, RESOURCES } from '../../src/kube/resource.ts';
import { NODES } from '../../test/cluster/network.ts';
import { createNodes } from '../../test/cluster/nodes.ts';
import type { BenchCluster } from './bench-cluster.ts';

/** Pods of a template with this name go to it without a scheduler. */
export const NODE = NODES[0]?.name ?? '';

/**
 * Plays the kubelet of pods that have no containers to run: each is Running and Ready, with an address of its own, as soon
 * as it is bound to its node, and gone as soon as it is to be deleted.
 */
export async function startReadyPods({ client, admin }: BenchCluster): Promise<{ close(): void }> {
  await createNodes(client);
  // A connection of its own: what it waits for must not stand in the way of what is measured.
  const connection = connect({ kubeconfig: admin, env: {}, userAgent: 'bench-kubelet' });
  const own = new Client(connection);
  let count = 0;
  let isClosed = false;
  // Nobody waits for one pod: what cannot be written ends the bench.
  const reject = (error: unknown) => {
    if (!isClosed) throw error;
  };
  const reflector = new Reflector<Pod>({ client: own, resource: RESOURCES.pod, trim: podOf });
  reflector.store.onChange(({ after }) => {
    if (after === undefined || !after.isBound) return;
    const { namespace, name } = after;
    if (after.isDeleting) {
      const path = `${objectPath(RESOURCES.pod, { namespace, name })}?gracePeriodSeconds=0`;
      connection.send({ method: 'DELETE', path }).then((response) => response.resume(), reject);
      return;
    }
    if (after.isReady) return;
    count += 1;
    const body = { status: readyStatus(addressOf(count)) };
    own
      .patch(RESOURCES.pod, { namespace, name }, 'merge', body, { subresource: 'status', isAnswerRead: false })
      .catch((error: unknown) => {
        if (outcomeOf(error) !== 'gone') reject(error);
      });
  });
  await reflector.synced();
  return {
    close() {
      isClosed = true;
      reflector.close();
      connection.close();
    },
  };
}

type Pod = {
  readonly namespace: string;
  readonly name: string;
  readonly isReady: boolean;
  readonly isBound: boolean;
  readonly isDeleting: boolean;
};

function podOf(object: JsonMap): Pod {
  const conditions = member(object['status'], 'conditions');
  return {
    namespace: stringAt(object, 'metadata', 'namespace') ?? '',
    name: stringAt(object, 'metadata', 'name') ?? '',
    isReady: isList(conditions) && conditions.some((each) => stringAt(each, 'type') === 'Ready'),
    isBound: stringAt(object, 'spec', 'nodeName') !== undefined,
    isDeleting: stringAt(object, 'metadata', 'deletionTimestamp') !== undefined,
  };
}

/** From 10.244.16.1 on; nothing listens there. */
function addressOf(number: number): string {
  return `10.244.${16 + (Math.floor(number / 250) % 200)}.${1 + (number % 250)}`;
}

function readyStatus(podIP: string): JsonMap {
  const now = new Date().toISOString();
  const types = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'];
  return {
    ...{ phase: 'Running', startTime: now, podIP, podIPs: [{ ip: podIP }] },
    ...{ hostIP: NODES[0]?.address ?? '', hostIPs: [{ ip: NODES[0]?.address ?? '' }] },
    conditions: types.map((type) => ({ type, status: 'True', lastTransitionTime: now })),
  };
}
