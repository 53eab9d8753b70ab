import { CONVERSION_PATH, type FailurePolicies, ROUTE_TABLE } from '../admission/routes.ts';
import { at, isList, isMap, type JsonMap, stringAt } from '../json/value.ts';
import type { KubeObject } from '../kube/client.ts';
import { RESOURCES } from '../kube/resource.ts';
import { type Intent, isAsIntended } from './apply.ts';
import { type ConversionState, CRD_NAMES, callsUs, conversionFor, conversionState } from './conversion.ts';
import { type RuleKind, refusalOf } from './kinds.ts';
import { type PathPlan, planPaths, type Served } from './paths.ts';
import { type RenderInputs, render, SERVICE } from './render.ts';
import { furtherKinds } from './rules.ts';
import { pathOf, type Template } from './templates.ts';

/** Everything that a decision needs. */
export type Observed = {
  readonly templates: readonly Template[];
  readonly namespace: string;
  readonly failurePolicies: FailurePolicies;
  readonly excludedNamespaces: readonly string[];
  /** Our ClusterRole; undefined when it is not there (any more). */
  readonly owner: RenderInputs['owner'] | undefined;
  /** Undefined while there is none. */
  readonly bundle: string | undefined;
  /** The kinds that need rules; undefined until that is known: the rules that there are stay then. */
  readonly kinds: readonly RuleKind[] | undefined;
  /** What each ready webhook serves. */
  readonly ready: readonly Served[];
  /** Our configurations and CRDs as they are stored, by name. */
  readonly live: ReadonlyMap<string, KubeObject>;
  /** The paths that this process has seen called before. */
  readonly calledBefore: ReadonlySet<string>;
};

/** What to write, and what the outcome will be. */
export type RegistrationPlan = {
  readonly writes: readonly Intent[];
  /** The paths that are called once all is written. */
  readonly called: ReadonlySet<string>;
  /** The paths that are not called, and why. */
  readonly waiting: ReadonlyMap<string, string>;
  readonly conversions: ReadonlyMap<string, ConversionState>;
  /** Why nothing is written at all. */
  readonly holds: string | undefined;
};

/**
 * Decides what to write. While no webhook is ready, nothing: a first installation must not refuse writes that nobody
 * can answer, and in an outage an administrator may have opened or deleted the configurations by hand.
 */
export function planRegistration(observed: Observed): RegistrationPlan {
  const { templates, ready, live, namespace } = observed;
  const holds = whyNothing(observed);
  const wanted = [...templates.flatMap(({ entries }) => entries.map(({ path }) => path)), CONVERSION_PATH];
  const stored = calledNow(observed);
  const called = holds === undefined ? new Set([...stored, ...observed.calledBefore]) : stored;
  const paths = planPaths(wanted, ready, called);
  const conversions = new Map(
    CRD_NAMES.map((name) => [name, conversionState(live.get(name), namespace, paths.paths.has(CONVERSION_PATH))]),
  );
  const writes = holds === undefined ? writesFor(observed, paths, conversions) : [];
  return { writes, called: holds === undefined ? paths.paths : stored, waiting: paths.waiting, conversions, holds };
}

function whyNothing({ owner, bundle, ready }: Observed): string | undefined {
  if (bundle === undefined) return 'there is no CA yet';
  if (ready.length === 0) return 'no webhook is ready';
  if (owner === undefined)
    return 'the ClusterRole that owns the configurations is gone: the chart is being uninstalled';
  return undefined;
}

/** The paths that API servers call at this moment. */
export function calledNow({ live, namespace }: Pick<Observed, 'live' | 'namespace'>): Set<string> {
  const paths = new Set<string>();
  for (const object of live.values()) {
    for (const webhook of ownEntries(object, namespace)) paths.add(pathOf(webhook) ?? '');
    if (callsUs(object, namespace)) paths.add(CONVERSION_PATH);
  }
  return paths;
}

/** The entries of a stored configuration that call our Service. */
function ownEntries(configuration: KubeObject | undefined, namespace: string): JsonMap[] {
  const webhooks = at(configuration, ['webhooks']);
  return (isList(webhooks) ? webhooks.filter(isMap) : []).filter((webhook) => {
    const service = at(webhook, ['clientConfig', 'service']);
    return stringAt(service, 'name') === SERVICE && stringAt(service, 'namespace') === namespace;
  });
}

function writesFor(
  observed: Observed,
  { paths, waiting }: PathPlan,
  conversions: ReadonlyMap<string, ConversionState>,
): Intent[] {
  const { templates, live, bundle = '', namespace, owner = { name: '', uid: '' } } = observed; // there, or nothing is written
  const configurations = templates.map((template): Intent => {
    const retained = new Map([[template.name, retainedEntries(template, observed, waiting)]]);
    const kinds = observed.kinds ?? storedKinds(observed);
    const object = render(template, { ...observed, kinds, bundle, owner, paths, retained });
    return { resource: CONFIGURATIONS[template.kind], object, exact: ['webhooks'] };
  });
  const conversion = conversionFor(namespace, bundle);
  const crds = [...conversions].filter(([, state]) => state === 'wired').map(([name]) => crdIntent(name, conversion));
  return [...configurations, ...crds].filter((intent) => {
    const name = stringAt(intent.object, 'metadata', 'name') ?? '';
    const isEmpty = !live.has(name) && isEmptyList(intent.object['webhooks']);
    return !isEmpty && !isAsIntended(live.get(name), intent);
  });
}

/** The kinds that the stored gateways' entry has rules for, beyond those of its template. */
export function storedKinds({
  templates,
  live,
  namespace,
}: Pick<Observed, 'templates' | 'live' | 'namespace'>): RuleKind[] {
  return templates.flatMap(({ name, entries }) => {
    const template = entries.find(({ path }) => path === ROUTE_TABLE.gateway.path)?.webhook;
    const stored = ownEntries(live.get(name), namespace).find(
      (webhook) => pathOf(webhook) === ROUTE_TABLE.gateway.path,
    );
    const kinds = furtherKinds(stored?.['rules'] ?? [], template?.['rules'] ?? []);
    return template === undefined ? [] : kinds.filter((kind) => refusalOf(kind) === undefined);
  });
}

const CONFIGURATIONS = {
  MutatingWebhookConfiguration: RESOURCES.mutatingWebhookConfiguration,
  ValidatingWebhookConfiguration: RESOURCES.validatingWebhookConfiguration,
} as const;

function isEmptyList(value: unknown): boolean {
  return isList(value) && value.length === 0;
}

/**
 * Entries of another version of ours, which our templates do not have: as long as one of ours has to wait, they may be all
 * that protects objects, so they stay while somebody serves them. What replaces them comes first, then they go.
 */
function retainedEntries(
  { name, entries }: Template,
  { live, namespace, ready }: Observed,
  waiting: ReadonlyMap<string, string>,
): JsonMap[] {
  if (!entries.some(({ path }) => waiting.has(path))) return [];
  const known = new Set(entries.flatMap(({ path, webhook }) => [path, stringAt(webhook, 'name') ?? '']));
  return ownEntries(live.get(name), namespace).filter((webhook) => {
    const path = pathOf(webhook) ?? '';
    const isOther = !known.has(path) && !known.has(stringAt(webhook, 'name') ?? '');
    return isOther && ready.some((served) => served === undefined || served.has(path));
  });
}

/** The CRD with this conversion. */
export function crdIntent(name: string, conversion: JsonMap): Intent {
  return {
    resource: RESOURCES.customResourceDefinition,
    object: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name },
      spec: { conversion },
    },
    exact: ['spec', 'conversion'],
  };
}

/**
 * The bundles that our configurations and CRDs carry, one for each entry; empty text where one has none. CRDs that are not
 * ours do not count: nobody renews what they carry.
 */
export function carriedBundles({
  live,
  namespace,
  templates,
}: Pick<Observed, 'live' | 'namespace' | 'templates'>): string[] {
  const configs = templates.flatMap(({ name }) => ownEntries(live.get(name), namespace));
  const crds = CRD_NAMES.map((name) => live.get(name)).filter(
    (crd) => callsUs(crd, namespace) && conversionState(crd, namespace, true) === 'wired',
  );
  const carried = [
    ...configs.map((webhook) => stringAt(webhook, 'clientConfig', 'caBundle')),
    ...crds.map((crd) => stringAt(crd, 'spec', 'conversion', 'webhook', 'clientConfig', 'caBundle')),
  ];
  return [...new Set(carried.map((text) => Buffer.from(text ?? '', 'base64').toString('utf8')))];
}
