import { withDefaults } from '../../api/defaults.ts';
import type { Rollout } from '../../api/generated.ts';
import { conditionTerms } from '../../api/matches.ts';
import { V1BETA1 } from '../../api/names.ts';
import { equal } from '../../json/equal.ts';
import { at, isList, isMap, type Json, type JsonMap, stringAt } from '../../json/value.ts';
import { findScript, type Library } from '../../lua/library.ts';
import { declaredOf, scopeOf } from '../../rewrite/declared.ts';
import { directiveKey, encodeDirective } from '../../rewrite/directive.ts';
import { stepDirective, stepsOf } from '../../rollout/directives.ts';
import { targetsOf } from '../../rollout/targets.ts';
import { ALICE, BOB, type DemoApiServer, type User, withAnnotation } from './api-server.ts';

/** What the user has: a Rollout (v1alpha1, as old as it may be), a VirtualService, a DestinationRule. */
export type Sources = {
  readonly rollout: JsonMap;
  readonly virtualService: JsonMap;
  readonly destinationRule: JsonMap;
};

/** Where the demo shows what it does. */
export type Screen = {
  heading(title: string, how: string): void;
  /** The difference between two states of an object, as the user sees it. */
  difference(before: JsonMap, after: JsonMap): void;
  warnings(texts: readonly string[]): void;
  check(what: string, holds: boolean): void;
};

/** Names that each stage needs. */
type Stage = {
  readonly server: DemoApiServer;
  readonly library: Library;
  readonly screen: Screen;
  readonly sources: Sources;
};

const VS = 'VirtualService';
const DR = 'DestinationRule';
const TIMEOUT = '5s';
const RETRIES: JsonMap = { attempts: 3, perTryTimeout: '2s', retryOn: '5xx' };

/**
 * A whole release of the example, write by write, as users, tools and the controller send them; each stage is shown and
 * checked.
 */
export async function playRelease(stage: Stage, controller: User): Promise<void> {
  const { server, sources } = stage;
  server.seed(sources.virtualService);
  server.seed(sources.destinationRule);
  const rollout = await createRollout(stage);
  await firstStep(stage, rollout, controller);
  await editFromSource(stage);
  await editByHand(stage);
  await replaceWithoutAnnotations(stage);
  await secondStep(stage, rollout, controller);
  await end(stage, controller, rollout);
}

async function createRollout({ server, screen, sources }: Stage): Promise<Rollout> {
  screen.heading('The Rollout is created', 'alice: kubectl create -f rollout.yaml');
  const { object, warnings } = await server.createRollout(sources.rollout, V1BETA1, ALICE);
  screen.warnings(warnings);
  screen.check('it is admitted, with a warning for each outdated field', warnings.length === 2);
  screen.check('it is stored as v1beta1', stringAt(object, 'apiVersion') === V1BETA1);
  const routing = at(object, ['spec', 'strategy', 'canary', 'trafficRoutings', 0]);
  const refs = at(routing, ['customNetworkRefs']);
  screen.check('networkRefs became customNetworkRefs', isList(refs) && refs.length === 2);
  return withDefaults(object) as unknown as Rollout;
}

async function firstStep(stage: Stage, rollout: Rollout, controller: User): Promise<void> {
  const { screen, server } = stage;
  screen.heading(
    'Step 1: 20 % of the traffic',
    'the controller sets one annotation on each object; the webhook does the rest',
  );
  await moveTo(stage, rollout, 1, controller);
  screen.check(
    '80 % stay with the stable version, 20 % go to the canary',
    equal(weightsOf(server.get(VS, 'nginx-vs')), [80, 20]),
  );
  screen.check(
    "the DestinationRule has the subset canary, by the pods' labels",
    equal(subsetsOf(server.get(DR, 'nginx-dr')), [
      { name: 'version-base', labels: { version: 'base' } },
      { name: 'canary', labels: { version: 'canary' } },
    ]),
  );
}

async function editFromSource({ server, screen, sources }: Stage): Promise<void> {
  screen.heading('A timeout is added in Git', 'alice: kubectl apply -f virtualservice.yaml');
  const before = server.get(VS, 'nginx-vs');
  const { object, warnings } = await server.apply(withTimeout(sources.virtualService), ALICE);
  screen.warnings(warnings);
  screen.difference(before, object);
  screen.check('the timeout is in effect', at(ruleOf(object), ['timeout']) === TIMEOUT);
  screen.check('the canary still has its 20 %', equal(weightsOf(object), [80, 20]));
}

async function editByHand({ server, screen }: Stage): Promise<void> {
  screen.heading(
    'A retry policy is added by hand',
    'bob: kubectl edit virtualservice nginx-vs   (he sees the rewritten object)',
  );
  const before = server.get(VS, 'nginx-vs');
  const { object, warnings } = await server.change(VS, 'nginx-vs', BOB, (live) => withRule(live, { retries: RETRIES }));
  screen.warnings(warnings);
  screen.difference(before, object);
  screen.check('the retries are in effect', equal(at(ruleOf(object), ['retries']), RETRIES));
  screen.check('the canary still has its 20 %', equal(weightsOf(object), [80, 20]));
}

async function replaceWithoutAnnotations({ server, screen }: Stage): Promise<void> {
  screen.heading(
    'A replace drops every annotation',
    'bob: kubectl get -o yaml, annotations cut out, kubectl replace -f -',
  );
  const before = server.get(VS, 'nginx-vs');
  const { object, warnings } = await server.change(VS, 'nginx-vs', BOB, withoutAnnotations);
  screen.warnings(warnings);
  screen.difference(before, object);
  screen.check(
    'our annotations are back, and bob is told',
    warnings.length === 1 && Object.keys(annotationsOf(object)).length === 2,
  );
  screen.check('timeout, retries and weights are as they were', equal(object['spec'], before['spec']));
}

async function secondStep(stage: Stage, rollout: Rollout, controller: User): Promise<void> {
  const { screen, server } = stage;
  screen.heading('Step 2: requests with the header version: canary', 'the controller changes its annotation');
  await moveTo(stage, rollout, 2, controller);
  const rules = at(server.get(VS, 'nginx-vs'), ['spec', 'http']);
  const [canary, stable] = isList(rules) ? rules : [];
  screen.check(
    'requests with the header go to the canary',
    equal(at(canary, ['match']), [{ headers: { version: { exact: 'canary' } } }]),
  );
  screen.check('all others go to the stable version', equal(destinationsOf(stable), ['version-base']));
  const kept = [canary, stable].every(
    (rule) => at(rule, ['timeout']) === TIMEOUT && equal(at(rule, ['retries']), RETRIES),
  );
  screen.check('timeout and retries hold for both', kept);
}

async function end(stage: Stage, controller: User, rollout: Rollout): Promise<void> {
  const { screen, server, sources } = stage;
  screen.heading('The end: everything is restored', 'the controller takes its annotations away');
  await moveTo(stage, rollout, undefined, controller);
  const virtualService = withRule(withTimeout(sources.virtualService), { retries: RETRIES });
  for (const [source, wanted] of [
    [virtualService, "the VirtualService is the user's own again, with the timeout and the retries"],
    [sources.destinationRule, "the DestinationRule is the user's own again"],
  ] as const) {
    const object = server.get(String(source['kind']), stringAt(source, 'metadata', 'name') ?? '');
    screen.check(
      wanted,
      equal(declaredOf(object, scopeOf(object)) as Json, declaredOf(source, scopeOf(source)) as Json),
    );
  }
}

/** What the controller does to reach a step: sets, changes or (without a step) removes its directive on each object. */
async function moveTo(
  { server, library, screen }: Stage,
  rollout: Rollout,
  step: number | undefined,
  controller: User,
): Promise<void> {
  const terms =
    step === undefined ? [] : conditionTerms(stepsOf(rollout)[step - 1]?.matches as Json | undefined, []).matches;
  for (const target of targetsOf(rollout)) {
    const script = findScript(target.request, library)?.script;
    if (script === undefined) throw new Error(`no script for ${target.kind}`);
    const directive =
      step === undefined ? undefined : stepDirective(rollout, step, target, script, terms, { continues: step > 1 });
    const key = directiveKey(rollout.metadata.name ?? '');
    const text = directive === undefined ? undefined : encodeDirective(directive);
    const before = server.get(target.kind, target.name);
    const { object } = await server.change(target.kind, target.name, controller, (live) =>
      withAnnotation(live, key, text),
    );
    screen.difference(before, object);
  }
}

function withTimeout(source: JsonMap): JsonMap {
  return withRule(source, { timeout: TIMEOUT });
}

/** The object with these fields added to the first http rule that leads to the stable subset. */
function withRule(object: JsonMap, fields: JsonMap): JsonMap {
  const spec = isMap(object['spec']) ? object['spec'] : {};
  const rules = isList(spec['http']) ? spec['http'] : [];
  return {
    ...object,
    spec: {
      ...spec,
      http: rules.map((rule) => (isMap(rule) && rule === ruleOf(object) ? { ...rule, ...fields } : rule)),
    },
  };
}

function ruleOf(virtualService: JsonMap): Json | undefined {
  const rules = at(virtualService, ['spec', 'http']);
  return isList(rules) ? rules.find((rule) => destinationsOf(rule).includes('version-base')) : undefined;
}

function weightsOf(virtualService: JsonMap): Json {
  const route = at(ruleOf(virtualService), ['route']);
  return isList(route) ? route.map((to) => at(to, ['weight']) ?? null) : null;
}

function destinationsOf(rule: Json | undefined): string[] {
  const route = at(rule, ['route']);
  return isList(route) ? route.map((to) => stringAt(to, 'destination', 'subset') ?? '') : [];
}

function subsetsOf(destinationRule: JsonMap): Json | undefined {
  return at(destinationRule, ['spec', 'subsets']);
}

function annotationsOf(object: JsonMap): JsonMap {
  const annotations = at(object, ['metadata', 'annotations']);
  return isMap(annotations) ? annotations : {};
}

function withoutAnnotations(object: JsonMap): JsonMap {
  const { annotations: _, ...metadata } = isMap(object['metadata']) ? object['metadata'] : {};
  return { ...object, metadata };
}
