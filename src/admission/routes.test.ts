import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { at, isList, type Json, stringAt } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { fixedInventory } from './inventory.ts';
import { admissionRoutes, ROUTE_TABLE } from './routes.ts';

const folder = new URL('../../webhook-config/', import.meta.url);
const configurations = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) => parseAllDocuments(readFileSync(new URL(file, folder), 'utf8')))
  .map((document) => document.toJS() as Json);
const webhooks = configurations.flatMap((configuration) => {
  const list = at(configuration, ['webhooks']);
  return isList(list) ? list.map((webhook) => ({ kind: stringAt(configuration, 'kind'), webhook })) : [];
});
const pathOf = (webhook: Json) => stringAt(webhook, 'clientConfig', 'service', 'path');

test('the webhook configurations name the same paths, rules, policies and limits as the route table', () => {
  const found = webhooks.map(({ kind, webhook }) => ({
    configuration: kind,
    path: pathOf(webhook),
    failurePolicy: at(webhook, ['failurePolicy']),
    timeoutSeconds: at(webhook, ['timeoutSeconds']),
    rules: at(webhook, ['rules']),
  }));
  const table = Object.values(ROUTE_TABLE).map(({ configuration, path, failurePolicy, timeoutSeconds, rules }) => ({
    configuration,
    path,
    failurePolicy,
    timeoutSeconds,
    rules: rules.map((rule) => ({ ...rule, scope: 'Namespaced' })),
  }));
  expect(found).toEqual(table);
});

test.each(webhooks)(
  '$webhook.name answers reviews of version v1, without side effects, and delays what passes anyway for 2 s at most',
  ({ webhook }) => {
    expect(at(webhook, ['admissionReviewVersions'])).toEqual(['v1']);
    expect(at(webhook, ['sideEffects'])).toBe('None');
    const longest = at(webhook, ['failurePolicy']) === 'Ignore' ? 2 : 10;
    expect(at(webhook, ['timeoutSeconds'])).toBeLessThanOrEqual(longest);
  },
);

// API servers call the entries of a configuration in their order, and in a second pass only those that they have called.
test('new templates are held after directives that others claim have been taken off', () => {
  const paths = webhooks.map(({ webhook }) => pathOf(webhook));
  expect(paths.indexOf(ROUTE_TABLE.hold.path)).toBeGreaterThan(paths.indexOf(ROUTE_TABLE.workload.path));
});

test('mutating webhooks come last, and are asked again when a later one changes the object', () => {
  for (const configuration of configurations)
    expect(stringAt(configuration, 'metadata', 'name')).toMatch(/^zz-sluice-/);
  const mutating = webhooks.filter(({ kind }) => kind === 'MutatingWebhookConfiguration');
  expect([...new Set(mutating.map(({ webhook }) => at(webhook, ['reinvocationPolicy'])))]).toEqual(['IfNeeded']);
});

test('no rule is a wildcard or names a kind whose writes must never wait for us, and pods wait a second at most', () => {
  for (const { rules, failurePolicy, timeoutSeconds } of Object.values(ROUTE_TABLE)) {
    for (const { apiGroups, apiVersions, resources } of rules) {
      expect([...apiGroups, ...apiVersions, ...resources]).not.toContain('*');
      const never = ['secrets', 'configmaps', 'leases', 'nodes', 'namespaces', 'events'];
      expect(never.filter((resource) => resources.some((named) => named === resource))).toEqual([]);
      expect(apiGroups.join()).not.toMatch(/rbac|admissionregistration|coordination|apiextensions/);
      const hasPods = resources.some((named) => named === 'pods');
      if (hasPods) expect([failurePolicy, timeoutSeconds]).toEqual(['Ignore', 1]);
    }
  }
});

test.each(webhooks.filter(({ webhook }) => at(webhook, ['failurePolicy']) === 'Fail'))(
  '$webhook.name, which refuses writes when nobody answers, lets deletions, unchanged objects and rescues pass',
  ({ webhook }) => {
    const conditions = at(webhook, ['matchConditions']);
    const names = isList(conditions) ? conditions.map((condition) => stringAt(condition, 'name')) : [];
    // No deletion waits for a status.
    const isOfStatus = stringAt(webhook, 'rules', 0, 'resources', 0)?.endsWith('/status') === true;
    const passing = [...(isOfStatus ? [] : ['lives']), 'changes-something', 'no-rescue'];
    expect(names).toEqual(expect.arrayContaining(passing));
  },
);

test('a policy that an installation chose decides how failures of that route are answered', () => {
  const options = {
    library: loadLibrary(),
    inventory: fixedInventory([], []),
    decideIsolated: () => Promise.reject(new Error('nothing is judged here')),
    controllerUser: 'system:serviceaccount:sluice-system:sluice-controller',
  };
  const policiesOf = (policies?: Parameters<typeof admissionRoutes>[1]) =>
    admissionRoutes(options, policies).map((route) => 'failurePolicy' in route && [route.path, route.failurePolicy]);
  expect(policiesOf()).toContainEqual(['/mutate/gateway', 'Fail']);
  expect(policiesOf()).toContainEqual(['/mutate/pod', 'Ignore']);
  const chosen = policiesOf({ gateway: 'Ignore', workload: 'Fail', pod: 'Fail' });
  expect(chosen).toContainEqual(['/mutate/gateway', 'Ignore']);
  expect(chosen).toContainEqual(['/mutate/workload', 'Fail']);
  expect(chosen).toContainEqual(['/mutate/pod', 'Fail']);
  expect(chosen).toContainEqual(['/mutate/status', 'Ignore']);
});
