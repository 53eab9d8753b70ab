import { ANNOTATIONS } from '../../../src/api/names.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { outcomeOf } from '../../../src/kube/api-error.ts';
import type { Client } from '../../../src/kube/client.ts';
import { apiVersionOf } from '../../../src/kube/resource.ts';
import type { Action } from '../../../src/rewrite/directive.ts';
import { decodeOriginal } from '../../../src/rewrite/original.ts';
import { isOwnKey } from '../../../src/rewrite/own-keys.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { WRITTEN_BY_OTHERS } from '../ownership.ts';
import type { Edit, Subject } from './objects.ts';
import { directivePatch } from './steering.ts';
import type { Tool } from './tools.ts';

/**
 * The same object twice: `release` goes through a release, `twin` never meets Sluice. Every write of the user goes to
 * both by the same tool, so the twin is what the user must find in the original, and in the object afterwards.
 */
export class Pair {
  readonly subject: Subject;
  readonly tool: Tool;
  readonly cluster: Cluster;
  readonly namespaces: { readonly release: string; readonly twin: string };
  source: JsonMap;
  readonly #user: Client;
  readonly #controller: Client;
  #step = 0;

  constructor(
    cluster: Cluster,
    controller: Client,
    parts: { subject: Subject; tool: Tool; release: string; twin: string },
  ) {
    this.subject = parts.subject;
    this.tool = parts.tool;
    this.source = parts.subject.source;
    this.cluster = cluster;
    this.namespaces = { release: parts.release, twin: parts.twin };
    this.#user = cluster.client;
    this.#controller = controller;
  }

  /** The user writes both, with an edit or as it is. @returns what the tool said beside its output of the one in the release */
  async write(edit?: Edit): Promise<string> {
    if (edit !== undefined) this.source = edit.apply(this.source);
    const { release, twin } = this.namespaces;
    const [said] = await Promise.all([this.#write(release, edit), this.#write(twin, edit)]);
    return said;
  }

  /** Somebody changes what the cluster shows of the one in the release, and of nothing else. @returns what they are told */
  writeByHand(edit: Edit): Promise<string> {
    return this.#write(this.namespaces.release, edit);
  }

  async #write(namespace: string, edit: Edit | undefined): Promise<string> {
    const live = await this.#find(namespace);
    return this.tool.write(this.cluster, { namespace, source: this.source, live }, edit);
  }

  /** The controller sets the directive of the next step, or takes it away. */
  async step(action: Action | undefined): Promise<void> {
    this.#step += 1;
    while (!(await this.#direct(action))); // something wrote in between: a controller of Kubernetes, say
  }

  async #direct(action: Action | undefined): Promise<boolean> {
    const { release: namespace } = this.namespaces;
    const live = await this.live();
    const { metadata } = directivePatch(namespace, this.#step, action);
    const resourceVersion = stringAt(live, 'metadata', 'resourceVersion') ?? '';
    const body = { metadata: { ...(metadata as JsonMap), resourceVersion } };
    const name = { namespace, name: 'web' };
    try {
      await this.#controller.patch(this.subject.resource, name, 'merge', body, { fieldManager: 'sluice-controller' });
      return true;
    } catch (error) {
      if (outcomeOf(error) === 'conflict') return false;
      throw error;
    }
  }

  /** The next step is the first of a release. */
  restart(): void {
    this.#step = 0;
  }

  live(): Promise<JsonMap> {
    return this.#get(this.namespaces.release);
  }

  twin(): Promise<JsonMap> {
    return this.#get(this.namespaces.twin);
  }

  /** What the object in the release is without Sluice, in a form that can be compared with {@link plain} of the twin. */
  async original(): Promise<Json> {
    return this.originalOf(await this.live());
  }

  originalOf(live: JsonMap): Json {
    const text = stringAt(live, 'metadata', 'annotations', ANNOTATIONS.original);
    if (text === undefined) throw new Error('there is no original');
    const { declared, apiVersion } = decodeOriginal(text);
    // Whatever version it was written in since, it is kept in the one in which the webhook sees the kind.
    if (apiVersion !== apiVersionOf(this.subject.resource)) throw new Error(`the original is of ${apiVersion}`);
    const { spec = null, labels = {}, annotations = {} } = declared;
    return this.comparable({ spec, metadata: { labels, annotations } });
  }

  /** Spec, labels and annotations without what is Sluice's, and without the name of the namespace. */
  async plain(which: 'live' | 'twin'): Promise<Json> {
    return this.comparable(which === 'live' ? await this.live() : await this.twin());
  }

  /** Spec, labels and annotations of an object, without what is Sluice's, and without names of namespaces. */
  comparable(object: JsonMap): Json {
    const metadata = object['metadata'];
    const kept = (map: Json | undefined) =>
      Object.fromEntries(
        Object.entries(isMap(map) ? map : {})
          .filter(([key]) => !isOwnKey(key) && !WRITTEN_BY_OTHERS.has(key) && key !== ANNOTATIONS.lastApplied)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    const value = {
      spec: withoutAddresses(object['spec'] ?? null),
      labels: kept(member(metadata, 'labels')),
      annotations: kept(member(metadata, 'annotations')),
    };
    const { release, twin } = this.namespaces;
    return JSON.parse(JSON.stringify(value).replaceAll(release, 'NAMESPACE').replaceAll(twin, 'NAMESPACE'));
  }

  async #find(namespace: string): Promise<JsonMap | undefined> {
    const name = { namespace, name: 'web' };
    for await (const object of this.#user.listAll(this.subject.resource, { namespace })) {
      if (stringAt(object, 'metadata', 'name') === name.name) return object;
    }
    return undefined;
  }

  #get(namespace: string): Promise<JsonMap> {
    return this.#user.get(this.subject.resource, { namespace, name: 'web' });
  }
}

/** A Service's addresses are its own. */
function withoutAddresses(spec: Json): Json {
  if (!isMap(spec)) return spec;
  const { clusterIP: _, clusterIPs: __, ...rest } = spec;
  return rest;
}

/**
 * What of `required` is not in `owners`. An apply must keep each of its fields; a field of an update only has to be
 * somebody's who is not Sluice: who writes a value back that a release had changed owns it from then on.
 */
export function missingOwners(
  owners: ReadonlyMap<string, readonly string[]>,
  required: ReadonlyMap<string, readonly string[]>,
): string[] {
  const isKept = (path: string, manager: string): boolean => {
    const now = owners.get(path) ?? [];
    if (now.includes(manager)) return true;
    return manager.endsWith(' Update') && now.some((other) => !other.startsWith('sluice-'));
  };
  return [...required].flatMap(([path, managers]) =>
    managers.filter((manager) => !isKept(path, manager)).map((manager) => `${manager} of ${path}`),
  );
}
