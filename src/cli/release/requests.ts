import { nearest } from '../../api/suggest.ts';
import { type Json, type JsonMap, stringAt } from '../../json/value.ts';
import { ApiError, NoAnswer } from '../../kube/api-error.ts';
import { type Client, nameOf, resourceVersionOf } from '../../kube/client.ts';
import { collectionPath, groupVersion, RESOURCES, type Resource } from '../../kube/resource.ts';
import type { Progress } from '../progress.ts';
import { UsageError } from '../usage-error.ts';
import { type Asked, explained, missingRight } from './explained.ts';
import { mapsAt } from './fields.ts';
import type { Part, Sight } from './parts.ts';

/** Names these commands in managedFields. */
const FIELD_MANAGER = 'kubectl-sluice';

/** Progress is looked at so often, while an answer is waited for. */
const LOOK_EVERY_MS = 250;

/** So many Rollouts are named where another was asked for. */
const MOST_NAMES = 10;

/** Kinds whose place is known without asking. */
const KNOWN: readonly Resource[] = [
  RESOURCES.rollout,
  RESOURCES.trafficRouting,
  RESOURCES.deployment,
  RESOURCES.replicaSet,
  RESOURCES.pod,
  RESOURCES.service,
  RESOURCES.ingress,
];

export type Operation = {
  readonly op: 'test' | 'replace' | 'add' | 'remove';
  readonly path: string;
  readonly value?: Json;
};

/**
 * Every request of the commands for releases, in one place: what may be read in part is answered as a {@link Sight}, what
 * is needed is there or an error says what to do.
 */
export class Requests {
  readonly #client: Client;
  readonly #progress: Progress;
  readonly #served = new Map<string, Promise<Resource | undefined>>();

  constructor(client: Client, progress: Progress) {
    this.#client = client;
    this.#progress = progress;
  }

  /** For watches. */
  get client(): Client {
    return this.#client;
  }

  /**
   * A Rollout, in v1beta1.
   * @throws UsageError that names those that are there, when this one is not
   */
  async rollout(namespace: string, name: string): Promise<JsonMap> {
    const found = await this.rolloutIfAny(namespace, name);
    if (found === undefined) throw await this.noRollout(namespace, name);
    return found;
  }

  /** A Rollout, or undefined where there is none of that name. @throws UsageError when that cannot be read */
  async rolloutIfAny(namespace: string, name: string): Promise<JsonMap | undefined> {
    const asked: Asked = { verb: 'get', resource: RESOURCES.rollout, namespace, name };
    try {
      return await this.#during(`reading Rollout ${name}`, this.#client.get(RESOURCES.rollout, { namespace, name }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw explained(error, asked, this.#client.server);
    }
  }

  /** All Rollouts of a namespace, or of all. @throws UsageError */
  rollouts(namespace: string | undefined): Promise<JsonMap[]> {
    return this.list(RESOURCES.rollout, namespace);
  }

  /** What to say of a Rollout that is not there: which are, and which is nearly called so. */
  async noRollout(namespace: string, name: string): Promise<UsageError> {
    const base = `there is no Rollout ${name} in namespace ${namespace}`;
    const names = await this.#names(namespace);
    if (names === 'unreadable') return new UsageError(base);
    const likely = nearest(name, names);
    if (likely !== undefined) return new UsageError(`${base}; did you mean ${likely}?`);
    if (names.length === 0) return new UsageError(`${base}, nor any other: name the namespace by -n`);
    const shown = names.slice(0, MOST_NAMES).join(', ');
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
    return new UsageError(`${base}; there ${names.length === 1 ? 'is' : 'are'} ${shown}${more}`);
  }

  /** @throws UsageError where there are no Rollouts at all */
  async #names(namespace: string): Promise<string[] | 'unreadable'> {
    try {
      return (await this.rollouts(namespace)).map((each) => nameOf(each).name).sort();
    } catch (error) {
      // Who may read a Rollout may not always list them all.
      const cause = error instanceof UsageError ? error.cause : undefined;
      if (cause instanceof ApiError && cause.status === 403) return 'unreadable';
      throw error;
    }
  }

  /** All objects of a kind, of a namespace or of all. @throws UsageError */
  async list(resource: Resource, namespace: string | undefined): Promise<JsonMap[]> {
    try {
      return await this.#pages(resource, namespace);
    } catch (error) {
      throw explained(error, { verb: 'list', resource, namespace }, this.#client.server);
    }
  }

  /** Reads the objects of a part; what may not be read, or is of no kind that the cluster knows, is told in the answer. */
  async see(part: Part): Promise<Sight> {
    const { kind, namespace } = part;
    const resource = await this.resource(part.apiVersion, kind);
    if (resource === undefined) return unreadable(`the cluster has no kind ${kind} of ${part.apiVersion}`);
    const asked: Asked = { verb: 'name' in part ? 'get' : 'list', resource, namespace };
    try {
      if ('name' in part) {
        const { name } = part;
        const object = await this.#during(`reading ${kind} ${name}`, this.#client.get(resource, { namespace, name }));
        return { state: 'seen', objects: [object] };
      }
      return { state: 'seen', objects: await this.#pages(resource, namespace, part.labelSelector) };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return { state: 'seen', objects: [] };
      if (error instanceof ApiError && error.status === 403) return unreadable(missingRight(asked));
      throw explained(error, asked, this.#client.server);
    }
  }

  /**
   * Where objects of a kind are served: in the version that is named, else in the one that the server prefers. Undefined
   * where there is no such kind.
   */
  resource(apiVersion: string, kind: string): Promise<Resource | undefined> {
    const { group, version } = groupVersion(apiVersion);
    const known = KNOWN.find((each) => each.group === group && each.version === version && each.kind === kind);
    if (known !== undefined) return Promise.resolve(known);
    const key = `${apiVersion} ${kind}`;
    const asked = this.#served.get(key) ?? this.#find(group, version, kind);
    this.#served.set(key, asked);
    return asked;
  }

  /** Changes a Rollout's spec. @throws UsageError */
  async patchRollout(rollout: JsonMap, body: JsonMap): Promise<void> {
    await this.#patch(RESOURCES.rollout, rollout, 'merge', body);
  }

  /**
   * Changes a Rollout's status, if it is still the one that was read.
   * @returns `conflict` when it has changed since.
   * @throws UsageError
   */
  patchStatus(rollout: JsonMap, status: JsonMap): Promise<'written' | 'conflict'> {
    const body = { metadata: { resourceVersion: resourceVersionOf(rollout) }, status };
    return this.#patch(RESOURCES.rollout, rollout, 'merge', body, { subresource: 'status' });
  }

  /**
   * Changes a Deployment, if it is still the one that was read.
   * @returns `conflict` when it has changed since.
   * @throws UsageError
   */
  async patchDeployment(
    deployment: JsonMap,
    operations: readonly Operation[],
    dryRun: boolean,
  ): Promise<'written' | 'conflict'> {
    const test = { op: 'test', path: '/metadata/resourceVersion', value: resourceVersionOf(deployment) };
    return await this.#patch(RESOURCES.deployment, deployment, 'json', [test, ...operations] as Json, { dryRun });
  }

  async #patch(
    resource: Resource,
    object: JsonMap,
    form: 'merge' | 'json',
    body: Json,
    options: { readonly subresource?: 'status'; readonly dryRun?: boolean } = {},
  ): Promise<'written' | 'conflict'> {
    const name = nameOf(object);
    const what = `changing ${resource.kind} ${name.name}`;
    try {
      const written = this.#client.patch(resource, name, form, body, { fieldManager: FIELD_MANAGER, ...options });
      await this.#during(what, written);
      return 'written';
    } catch (error) {
      // A `test` of a JSON patch that fails is answered as 422, without a field that would be wrong.
      const isStale = error instanceof ApiError && (error.status === 409 || isFailedTest(error));
      if (isStale) return 'conflict';
      const asked: Asked = { verb: 'patch', resource, ...name, ...options };
      throw explained(unclear(error, what), asked, this.#client.server);
    }
  }

  #pages(resource: Resource, namespace: string | undefined, labelSelector?: string): Promise<JsonMap[]> {
    const selection = {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    };
    return this.#during(`listing ${resource.plural}`, Array.fromAsync(this.#client.listAll(resource, selection)));
  }

  async #find(group: string, version: string, kind: string): Promise<Resource | undefined> {
    const named = await this.#findIn(group, version, kind);
    if (named !== undefined) return named;
    for (const other of await this.#versions(group)) {
      const found = other === version ? undefined : await this.#findIn(group, other, kind);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #findIn(group: string, version: string, kind: string): Promise<Resource | undefined> {
    const path = collectionPath({ group, version, plural: '', kind, namespaced: false }).replace(/\/$/, '');
    const entries = mapsAt(await this.#read(path), 'resources');
    // `deployments/scale` is no kind of its own.
    const found = entries.find((entry) => entry['kind'] === kind && !stringAt(entry, 'name')?.includes('/'));
    const plural = stringAt(found, 'name');
    return plural === undefined
      ? undefined
      : { group, version, plural, kind, namespaced: found?.['namespaced'] === true };
  }

  async #versions(group: string): Promise<string[]> {
    if (group === '') return ['v1'];
    const answer = await this.#read(`/apis/${group}`);
    const preferred = stringAt(answer, 'preferredVersion', 'version');
    const versions = mapsAt(answer, 'versions').flatMap((entry) => stringAt(entry, 'version') ?? []);
    return [...(preferred === undefined ? [] : [preferred]), ...versions];
  }

  /** What the server says under a path of discovery; nothing of a group or version that it does not serve. */
  async #read(path: string): Promise<JsonMap> {
    try {
      return await this.#during('asking for kinds', this.#client.read(path));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return {};
      if (error instanceof ApiError) throw new UsageError(error.message, { cause: error });
      throw error instanceof NoAnswer
        ? new UsageError(`${this.#client.server} does not answer: ${error.message}`, { cause: error })
        : error;
    }
  }

  async #during<T>(what: string, work: Promise<T>): Promise<T> {
    const look = setInterval(() => this.#progress.at(what), LOOK_EVERY_MS);
    try {
      return await work;
    } finally {
      clearInterval(look);
      this.#progress.end();
    }
  }
}

function unreadable(reason: string): Sight {
  return { state: 'unreadable', reason };
}

function isFailedTest({ status, message }: ApiError): boolean {
  return status === 422 && /test(ing value)? .*failed|the server rejected our request due to an error/i.test(message);
}

/** A write without an answer may have been carried out. */
function unclear(error: unknown, what: string): unknown {
  if (!(error instanceof NoAnswer)) return error;
  return new NoAnswer(`${error.message}; whether ${what} was carried out is not known: look before you repeat it`, {
    cause: error,
  });
}
