import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseJson } from '../json/text.ts';
import { at, stringAt } from '../json/value.ts';
import { ApiError, NoAnswer } from '../kube/api-error.ts';
import type { GroupKind } from '../kube/discovery.ts';
import { MemoryApi } from '../kube/memory-api.testing.ts';
import type { Resource } from '../kube/resource.ts';
import type { RuleKind } from '../registration/kinds.ts';
import { followRuleKinds, type RuleKindsOptions } from './rule-kinds.ts';

const WAF: Resource = { group: 'example.com', version: 'v2', plural: 'wafs', kind: 'Waf', namespaced: true };
const MESH: Resource = { group: 'example.com', version: 'v1', plural: 'meshes', kind: 'Mesh', namespaced: false };
const WAF_RULE: RuleKind = { group: 'example.com', version: 'v2', plural: 'wafs', scope: 'Namespaced' };
const MESH_RULE: RuleKind = { group: 'example.com', version: 'v1', plural: 'meshes', scope: 'Cluster' };

type InUse = ReturnType<RuleKindsOptions['controller']['kindsInUse']>[number];

/** What controller, discovery and configurations say, and which `verb plural` nobody granted. */
class Surroundings {
  readonly isReady = Promise.withResolvers<void>();
  readonly served = new Map<string, Resource | Error>();
  readonly denied = new Set<string>();
  readonly considered: string[] = [];
  readonly set: (readonly RuleKind[])[] = [];
  readonly faults: unknown[] = [];
  readonly api = new MemoryApi();
  stored: readonly RuleKind[] = [];
  #inUse: readonly InUse[] = [];
  readonly #inUseListeners = new Set<() => void>();
  readonly #discoveryListeners = new Set<(kind: GroupKind) => void>();

  constructor() {
    this.isReady.resolve();
    this.api.answer = ({ body }) => {
      const asked = at(parseJson(body ?? ''), ['spec', 'resourceAttributes']);
      const allowed = !this.denied.has(`${stringAt(asked, 'verb')} ${stringAt(asked, 'resource')}`);
      return { status: 201, body: { status: { allowed } } };
    };
  }

  follow(ready = this.isReady.promise): () => void {
    return followRuleKinds({
      controller: {
        ready,
        kindsInUse: () => this.#inUse,
        onKindsInUse: (listener) => listen(this.#inUseListeners, listener),
        considerKinds: (kinds) => this.considered.push(...kinds.map(({ group, kind }) => `${kind}.${group}`)),
      },
      discovery: {
        onChange: (listener) => listen(this.#discoveryListeners, listener),
        find: (group, kind) => this.#found((resource) => resource.kind === kind, `${group}/${kind}`),
        kindOf: (group, plural) => this.#found((resource) => resource.group === group && resource.plural === plural),
      },
      client: this.api.client(),
      stored: () => Promise.resolve(this.stored),
      setKinds: (kinds) => this.set.push(kinds),
      onFault: (error) => this.faults.push(error),
    });
  }

  /** A kind is served, or an error is what asking for it gives. */
  serve(resource: Resource, error?: Error): void {
    this.served.set(`${resource.group}/${resource.kind}`, error ?? resource);
  }

  /** These kinds are named by Rollouts; `isCarried` says whether their objects carry directives. */
  use(isCarried: boolean | undefined, ...resources: readonly GroupKind[]): void {
    this.#inUse = resources.map(({ group, kind }) => ({ group, kind, isCarried }));
    for (const listener of this.#inUseListeners) listener();
  }

  discovered(kind: GroupKind): void {
    for (const listener of this.#discoveryListeners) listener(kind);
  }

  get listeners(): number {
    return this.#inUseListeners.size + this.#discoveryListeners.size;
  }

  #found(isWanted: (resource: Resource) => boolean, key?: string): Promise<Resource | undefined> {
    const all = [...this.served].filter(([each]) => key === undefined || each === key).map(([, found]) => found);
    const error = all.find((found) => found instanceof Error);
    if (error instanceof Error) return Promise.reject(error);
    return Promise.resolve((all as Resource[]).find(isWanted));
  }
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let around: Surroundings;
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  around = new Surroundings();
});
afterEach(() => {
  stop();
  vi.useRealTimers();
  expect(around.faults).toEqual([]);
});

/** Lets everything that waits for promises only come to its end. */
const settled = () => vi.advanceTimersByTimeAsync(0);
/** As long as the next look at what was missing may take. */
const later = () => vi.advanceTimersByTimeAsync(5_000);
const last = () => around.set.at(-1);

/** Follows from now on, with these kinds served and in use. */
async function following(isCarried: boolean | undefined, ...resources: readonly Resource[]): Promise<void> {
  for (const resource of resources)
    if (!around.served.has(`${resource.group}/${resource.kind}`)) around.serve(resource);
  around.use(isCarried, ...resources);
  stop = around.follow();
  await settled();
}

describe('a kind that a Rollout names', () => {
  test('gets a rule in the version that it is served in', async () => {
    await following(false, WAF, MESH);
    expect(last()).toEqual([WAF_RULE, MESH_RULE]);
  });

  test('has none any more when it is in use no longer', async () => {
    await following(false, WAF);
    around.use(false);
    await settled();
    expect(last()).toEqual([]);
  });

  test('is left out where its rule is one of the route table for a built-in kind; nobody asks for rights to it', async () => {
    const known = { group: 'networking.k8s.io', version: 'v1', plural: 'ingresses', kind: 'Ingress', namespaced: true };
    await following(false, known);
    expect(last()).toEqual([]);
    expect(around.api.calls).toEqual([]);
  });

  test('is handed on where the route table has it and a CRD serves it: the cluster may store another version', async () => {
    const group = 'networking.istio.io';
    await following(false, {
      group,
      version: 'v1',
      plural: 'virtualservices',
      kind: 'VirtualService',
      namespaced: true,
    });
    expect(last()).toEqual([{ group, version: 'v1', plural: 'virtualservices', scope: 'Namespaced' }]);
  });

  test('gets its rule as soon as discovery tells of it', async () => {
    around.use(false, WAF);
    stop = around.follow();
    await settled();
    expect(last()).toEqual([]);
    around.serve(WAF);
    around.discovered(WAF);
    await settled();
    expect(last()).toEqual([WAF_RULE]);
  });
});

describe('rights', () => {
  test.each(['get', 'list', 'watch', 'patch'])(
    'without %s there is no rule; with it there is one soon',
    async (verb) => {
      around.denied.add(`${verb} wafs`);
      await following(false, WAF);
      expect(last()).toEqual([]);
      around.denied.clear();
      await later();
      expect(last()).toEqual([WAF_RULE]);
    },
  );

  test('that are missing for one kind keep no other from its rule', async () => {
    around.denied.add('list meshes');
    await following(false, MESH, WAF);
    expect(last()).toEqual([WAF_RULE]);
  });

  test.each([
    ['stays while objects carry a directive', true, [WAF_RULE]],
    ['stays while nobody knows whether objects do', undefined, [WAF_RULE]],
    ['goes where no object does', false, []],
  ])('that are taken away: the rule %s', async (_, isCarried, expected) => {
    await following(true, WAF);
    around.denied.add('patch wafs');
    around.use(isCarried, WAF);
    await settled();
    expect(last()).toEqual(expected);
  });
});

describe('what cannot be found out now', () => {
  test.each([
    ['no answer', new NoAnswer('cut')],
    ['a busy server', new ApiError(503, '', 'busy')],
  ])('changes no rule, and is asked again: %s', async (_, error) => {
    await following(false, WAF);
    around.serve(WAF, error);
    around.use(false, WAF, MESH);
    await settled();
    expect(last()).toEqual([WAF_RULE]);
    around.serve(WAF);
    around.serve(MESH);
    await later();
    expect(last()).toEqual([WAF_RULE, MESH_RULE]);
  });

  test('makes no rule where there was none', async () => {
    around.serve(WAF, new NoAnswer('cut'));
    await following(false, WAF);
    expect(last()).toEqual([]);
  });

  test('is not asked again where nothing is missing', async () => {
    await following(false, WAF);
    const before = around.set.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(around.set).toHaveLength(before);
  });
});

describe('the rules of the leader before', () => {
  test('are looked through, and stay while they may be needed', async () => {
    around.stored = [WAF_RULE];
    around.denied.add('list wafs');
    await following(undefined, WAF);
    expect(around.considered).toEqual(['Waf.example.com']);
    expect(last()).toEqual([WAF_RULE]);
    around.use(false, WAF);
    await settled();
    expect(last()).toEqual([]);
  });

  test('of a kind whose CRD is gone are forgotten', async () => {
    around.stored = [WAF_RULE];
    stop = around.follow();
    await settled();
    expect([around.considered, last()]).toEqual([[], []]);
  });

  test('are not touched before their kinds are known', async () => {
    around.stored = [WAF_RULE];
    around.serve(WAF, new NoAnswer('cut'));
    await following(undefined, WAF);
    expect(around.set).toEqual([]);
    around.serve(WAF);
    await later();
    expect(last()).toEqual([WAF_RULE]);
  });

  test('are not touched before the controller has seen everything', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    around.serve(WAF);
    around.use(false, WAF);
    stop = around.follow(promise);
    await settled();
    expect(around.set).toEqual([]);
    resolve();
    await settled();
    expect(last()).toEqual([WAF_RULE]);
  });
});

test('of changes that come while others are looked at, the last word counts', async () => {
  await following(false, WAF, MESH);
  for (const named of [[WAF], [MESH], []]) around.use(false, ...named);
  await settled();
  expect(last()).toEqual([]);
});

test('a fault of ours is told, and does not stop the next look', async () => {
  around.serve(WAF, new TypeError('ours'));
  await following(false, WAF);
  expect(around.faults.splice(0)).toEqual([expect.objectContaining({ message: 'ours' })]);
  around.serve(WAF);
  around.discovered(WAF);
  await settled();
  expect(last()).toEqual([WAF_RULE]);
});

test('after the end nothing is set, and nobody is listened to', async () => {
  around.serve(WAF);
  around.use(false, WAF);
  stop = around.follow();
  stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(around.set).toEqual([]);
  expect(around.listeners).toBe(0);
});
