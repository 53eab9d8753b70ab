import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonText } from '../../../src/json/text.ts';
import type { Client, KubeObject } from '../../../src/kube/client.ts';
import type { Connection } from '../../../src/kube/connection.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import { objectPath, RESOURCES } from '../../../src/kube/resource.ts';
import { NODES } from '../network.ts';
import { until } from '../until.ts';
import { serveLogs } from './log-server.ts';
import { followObjects, type Objects } from './objects.ts';
import { PodAddresses } from './pod-addresses.ts';
import type { Pod } from './pod-object.ts';
import { PodRunner } from './pod-runner.ts';
import { StatusWriter } from './status-writer.ts';

/** Volumes are looked at this often without a reason: tokens are renewed then. */
const RESYNC_MILLISECONDS = 30_000;

export type KubeletOptions = {
  readonly client: Client;
  readonly connection: Connection;
  /** Where volumes and logs of pods go. */
  readonly folder: string;
  /** Files of the serving certificate for the addresses of the nodes. */
  readonly tls: { readonly certificate: string; readonly key: string };
  /** Told when it cannot go on. */
  readonly onFailure: (error: unknown) => void;
};

export type Kubelet = { stop(): Promise<void> };

/** Runs the pods of all nodes of {@link NODES} as processes of this machine. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { client, tls, onFailure } = options;
  const objects = followObjects(client, (namespace) => pods.refreshVolumes(namespace));
  const pods = new Pods(options, objects);
  const reflector = new Reflector({ client, resource: RESOURCES.pod, trim: asPod });
  reflector.store.onChange(({ before, after }) => {
    if (before !== undefined && before.metadata.uid !== after?.metadata.uid) pods.forget(before);
    if (after !== undefined) pods.see(after);
  });
  Promise.all([objects.finished, reflector.finished]).catch(onFailure);
  const resync = setInterval(() => pods.refreshVolumes(), RESYNC_MILLISECONDS);
  const certificate = { cert: readFileSync(tls.certificate), key: readFileSync(tls.key) };
  const servers = await Promise.all(
    NODES.map((node) => serveLogs(node, certificate, (place, previous) => pods.log(place, previous))),
  );
  return {
    async stop() {
      clearInterval(resync);
      objects.close();
      reflector.close();
      for (const server of servers) server.close();
      await pods.stopAll();
    },
  };
}

/** A pod as the API server gives it: its schema holds there. */
function asPod(object: KubeObject): Pod {
  return object as unknown as Pod;
}

/** The pods that run here. */
class Pods {
  readonly #options: KubeletOptions;
  readonly #objects: Objects;
  readonly #status: StatusWriter;
  readonly #runners = new Map<string, { runner: PodRunner; podIP: string; addresses: PodAddresses; ending: boolean }>();
  readonly #addresses = new Map(NODES.map((node) => [node.name, { node, addresses: new PodAddresses(node) }]));

  constructor(options: KubeletOptions, objects: Objects) {
    this.#options = options;
    this.#objects = objects;
    this.#status = new StatusWriter(options.client);
  }

  /** A pod is new or has changed. */
  see(pod: Pod): void {
    const { uid, deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
    const known = this.#runners.get(uid);
    if (known === undefined) {
      if (isBound(pod)) this.#begin(pod);
    } else known.runner.update(pod);
    if (deletionTimestamp === undefined || pod.spec.nodeName === undefined) return;
    this.#end(pod, deletionGracePeriodSeconds).catch(this.#options.onFailure);
  }

  /** A pod was deleted, maybe without waiting for its end. */
  forget(pod: Pod): void {
    const entry = this.#runners.get(pod.metadata.uid);
    this.#runners.delete(pod.metadata.uid);
    if (entry === undefined) return;
    void entry.runner.stop(0).then(() => entry.addresses.giveBack(entry.podIP));
  }

  refreshVolumes(namespace?: string): void {
    for (const { runner } of this.#runners.values()) {
      if (namespace === undefined || runner.pod.metadata.namespace === namespace) runner.refreshVolumes();
    }
  }

  log(place: { namespace: string; pod: string; container: string }, previous: boolean) {
    const entry = [...this.#runners.values()].find(({ runner: { pod } }) => {
      return pod.metadata.namespace === place.namespace && pod.metadata.name === place.pod;
    });
    const container = entry?.runner.container(place.container);
    return previous ? container?.previousLog : container?.log;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#runners.values()].map(({ runner }) => runner.stop(0)));
  }

  #begin(pod: Pod): void {
    const at = this.#addresses.get(pod.spec.nodeName ?? '');
    if (at === undefined) return; // a node that somebody else stands for
    const { namespace, name, uid } = pod.metadata;
    const podIP = at.addresses.take();
    const runner = new PodRunner({
      pod,
      place: { node: at.node, podIP },
      client: this.#options.client,
      objects: this.#objects,
      folder: join(this.#options.folder, `${namespace}_${name}_${uid}`),
      status: this.#status,
    });
    this.#runners.set(uid, { runner, podIP, addresses: at.addresses, ending: false });
    runner.start();
  }

  async #end(pod: Pod, graceSeconds: number): Promise<void> {
    const entry = this.#runners.get(pod.metadata.uid);
    if (entry?.ending) return;
    if (entry !== undefined) entry.ending = true;
    await entry?.runner.stop(graceSeconds);
    await this.#confirm(pod);
  }

  /** Tells the API server that nothing of the pod is left. */
  async #confirm({ metadata: { namespace, name, uid } }: Pod): Promise<void> {
    const body = jsonText({ kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, preconditions: { uid } });
    const path = objectPath(RESOURCES.pod, { namespace, name });
    await until(`the API server to take the end of pod ${namespace}/${name}`, async () => {
      const response = await this.#options.connection.send({ method: 'DELETE', path, body });
      response.resume();
      return (response.statusCode ?? 500) < 500;
    });
  }
}

/** The scheduler has chosen a node, and the pod has not run to its end before. */
function isBound({ spec, status, metadata }: Pod): boolean {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return spec.nodeName !== undefined && !isOver && metadata.deletionTimestamp === undefined;
}
