import { createServer, type Server } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONVERSION_PATH, FAILURE_POLICIES, ROUTE_TABLE } from '../../src/admission/routes.ts';
import { missingVerbs } from '../../src/controller/rights.ts';
import { at, isList, type JsonMap, stringAt } from '../../src/json/value.ts';
import { outcomeOf } from '../../src/kube/api-error.ts';
import { Client } from '../../src/kube/client.ts';
import { type Connection, connect } from '../../src/kube/connection.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { watchClusterView } from '../../src/manager/cluster-view.ts';
import { keepRegistration, type Registration } from '../../src/registration/keeper.ts';
import { findPredecessor, PREDECESSOR, predecessorMessage } from '../../src/registration/predecessor.ts';
import { base64 } from '../../src/registration/render.ts';
import { type Issued, issueAuthority, issueServing, validFor } from '../../src/tls/generate.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';

const { client, kubectl, helm, apply, namespace: newNamespace, as } = cluster();
const MUTATING = { name: 'zz-sluice-mutating' };
const VALIDATING = { name: 'zz-sluice-validating' };
const ROLLOUTS = { name: 'rollouts.rollouts.kruise.io' };
const ALL_PATHS = [...Object.values(ROUTE_TABLE).map(({ path }) => path), CONVERSION_PATH];
const OLD_PATHS = ALL_PATHS.filter((path) => path !== ROUTE_TABLE.workload.path);

/** A webhook process as the keeper sees it: it says what it serves. */
type Process = { readonly server: Server; readonly address: string };

let namespace = '';
let authority: Issued;
let connection: Connection;
let keeper: Registration;
let view: ReturnType<typeof watchClusterView>;
const processes: Process[] = [];
const writes: string[] = [];
const remarks: string[] = [];
const problems: string[] = [];

beforeAll(async () => {
  namespace = await newNamespace();
  authority = await issueAuthority(validFor(1, new Date(Date.now() - 60_000)));
  succeeded(await kubectl(['apply', '--server-side', '--force-conflicts', '-f', 'chart/files/crds']));
  await kubectl(['label', 'crd', ROLLOUTS.name, 'app.kubernetes.io/name-']);
  await kubectl(['create', 'serviceaccount', 'sluice-controller', '-n', namespace]);
  await installRights();
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'sluice-webhook' } };
  await apply(namespace, { ...service, spec: { ports: [{ name: 'https', port: 443, targetPort: 9443 }] } });
  await start();
});

afterAll(async () => {
  await keeper?.release();
  view?.close();
  connection?.close();
  await kubectl(['delete', 'clusterrole', 'sluice-controller', '--ignore-not-found']);
  await kubectl(['delete', 'clusterrolebinding', 'sluice-controller', '--ignore-not-found']);
  await kubectl(['delete', 'mutatingwebhookconfiguration', MUTATING.name, '--ignore-not-found']);
  await kubectl(['delete', 'validatingwebhookconfiguration', VALIDATING.name, '--ignore-not-found']);
  for (const { server } of processes) {
    server.closeAllConnections();
    server.close();
  }
});

/** The chart's own rights, so that a missing one is found here. */
async function installRights(): Promise<void> {
  const args = [
    'template',
    'sluice',
    'chart',
    '-n',
    namespace,
    '--show-only',
    'templates/rbac-controller.yaml',
    '--kube-version',
    '1.30',
  ];
  const rendered = succeeded(await helm(args));
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: rendered }));
}

async function start(): Promise<void> {
  const kubeconfig = await as(`system:serviceaccount:${namespace}:sluice-controller`);
  connection = connect({ kubeconfig, env: {} });
  const own = new Client(connection);
  const onProblem = (reason: unknown) => problems.push(String(reason));
  view = watchClusterView(own, namespace, onProblem, onProblem);
  keeper = keepRegistration({
    client: own,
    view,
    settings: {
      namespace,
      clusterRole: 'sluice-controller',
      failurePolicies: FAILURE_POLICIES,
      excludedNamespaces: ['legacy'],
      askInterval: 1_000,
    },
    onWrite: (object) => writes.push(object),
    onRemark: (remark) => remarks.push(remark),
    onProblem: (problem) => problems.push(problem.message),
  });
}

async function startProcess(paths: readonly string[], signer = authority): Promise<Process> {
  const address = `10.244.200.${processes.length + 1}`;
  const serving = await issueServing(
    signer,
    [`sluice-webhook.${namespace}.svc`],
    validFor(1, new Date(Date.now() - 60_000)),
  );
  const server = createServer({ cert: serving.certificate, key: serving.key }, (request, response) => {
    response.statusCode = request.url === '/routes' ? 200 : 404;
    response.end(JSON.stringify({ paths, format: 1 }));
  });
  await new Promise<void>((resolve) => server.listen(9443, address, resolve));
  const process = { server, address };
  processes.push(process);
  return process;
}

/** Makes these, and no others, the ready endpoints of the Service. */
function makeReady(...ready: readonly Process[]): Promise<void> {
  return apply(namespace, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'sluice-webhook-test', labels: { 'kubernetes.io/service-name': 'sluice-webhook' } },
    addressType: 'IPv4',
    ports: [{ name: 'https', port: 9443 }],
    endpoints: ready.map(({ address }) => ({ addresses: [address], conditions: { ready: true } })),
  });
}

const mutating = () => client.get(RESOURCES.mutatingWebhookConfiguration, MUTATING);
const crd = () => client.get(RESOURCES.customResourceDefinition, ROLLOUTS);

function isGone(): Promise<boolean> {
  return mutating().then(
    () => false,
    (error: unknown) => outcomeOf(error) === 'gone',
  );
}

async function entries(): Promise<JsonMap[]> {
  const webhooks = at(await mutating(), ['webhooks']);
  return isList(webhooks) ? (webhooks as JsonMap[]) : [];
}

const entryNames = async () => (await entries()).map(({ name }) => name);
const NAMES = ['gateways', 'workloads', 'status', 'holds', 'floors', 'pods'].map((name) => `${name}.sluice.dev`);

/** Waits until nothing is written for a while: three looks of the keeper at its webhooks. */
async function quiet(): Promise<void> {
  let before = -1;
  await until('no more writes', async () => {
    if (before === writes.length) return true;
    before = writes.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    return false;
  });
}

describe('a first installation', () => {
  let first: Process;

  test('applies nothing while there is no CA, and nothing while no webhook is ready', async () => {
    await until('the cluster to be read', () => keeper.state().holds === 'there is no CA yet');
    keeper.trust(authority.certificate);
    await until('a look', () => keeper.state().holds === 'no webhook is ready');
    expect(await isGone()).toBe(true);
    expect(writes).toEqual([]);
  });

  test('applies both configurations as soon as a webhook is ready that serves all paths', async () => {
    first = await startProcess(ALL_PATHS);
    await makeReady(first);
    await until('the configurations', async () => !(await isGone()), 10);
    expect(await entryNames()).toEqual(NAMES);
    const role = await client.get(RESOURCES.clusterRole, { name: 'sluice-controller' });
    expect(at(await mutating(), ['metadata', 'ownerReferences', 0, 'uid'])).toBe(stringAt(role, 'metadata', 'uid'));
    for (const entry of await entries()) {
      expect(stringAt(entry, 'clientConfig', 'caBundle')).toBe(base64(authority.certificate));
      expect(at(entry, ['namespaceSelector', 'matchExpressions', 0, 'values'])).toEqual(
        ['kube-system', 'legacy', namespace].sort(),
      );
    }
    await until('the other one', () => client.get(RESOURCES.validatingWebhookConfiguration, VALIDATING), 5);
    expect(problems).toEqual([]);
  });

  test('leaves a CRD alone that the chart did not install, and says how to adopt it', async () => {
    expect(keeper.state().conversions.get(ROLLOUTS.name)).toBe('foreign');
    expect(at(await crd(), ['spec', 'conversion', 'strategy'])).toBe('None');
    expect(remarks).toEqual([
      expect.stringContaining(`kubectl label crd ${ROLLOUTS.name} app.kubernetes.io/name=sluice`),
    ]);
  });

  test('wires the conversion of the CRD once it is adopted; one with a single version needs none', async () => {
    succeeded(await kubectl(['label', 'crd', ROLLOUTS.name, 'app.kubernetes.io/name=sluice']));
    await until(
      'the conversion',
      async () => stringAt(await crd(), 'spec', 'conversion', 'strategy') === 'Webhook',
      10,
    );
    expect(stringAt(await crd(), 'spec', 'conversion', 'webhook', 'clientConfig', 'caBundle')).toBe(
      base64(authority.certificate),
    );
    await until('its state', () => keeper.state().conversions.get(ROLLOUTS.name) === 'wired');
    expect(keeper.state().conversions.get('trafficroutings.rollouts.kruise.io')).toBe('not needed');
  });

  test('then writes nothing more, and nothing after a restart', async () => {
    await quiet();
    const before = writes.length;
    const [own, handed] = [keeper, view];
    await own.close();
    handed.close();
    connection.close();
    await start();
    keeper.trust(authority.certificate);
    await until('everything to be in force', () => keeper.state().called.size === ALL_PATHS.length);
    await quiet();
    expect(writes.length).toBe(before);
    expect(problems).toEqual([]);
  });
});

const edit = (operations: JsonMap[]) =>
  client.patch(RESOURCES.mutatingWebhookConfiguration, MUTATING, 'json', operations, { fieldManager: 'kubectl-edit' });

describe('a change by hand is undone within 5 seconds', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a deletion', () => client.delete(RESOURCES.mutatingWebhookConfiguration, MUTATING)],
    ['another failure policy', () => edit([{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }])],
    [
      'a condition that is never true',
      () => edit([{ op: 'add', path: '/webhooks/1/matchConditions/-', value: { name: 'never', expression: 'false' } }]),
    ],
    ['an entry taken away', () => edit([{ op: 'remove', path: '/webhooks/1' }])],
    [
      'an entry of somebody else',
      async () => {
        const [entry = {}] = await entries();
        await edit([{ op: 'add', path: '/webhooks/-', value: { ...entry, name: 'other.example.com' } }]);
      },
    ],
  ])('%s', async (_, change) => {
    await quiet();
    const whole = await entries();
    await change();
    const start = performance.now();
    await until(
      'the configuration to be as before',
      async () => JSON.stringify(await entries()) === JSON.stringify(whole),
      5,
    );
    process.stderr.write(`undone after ${Math.round(performance.now() - start)} ms\n`);
  });

  test('another place to call, which an apply alone cannot undo', async () => {
    await quiet();
    const clientConfig = { url: 'https://192.0.2.1/', caBundle: base64(authority.certificate) };
    await edit([{ op: 'replace', path: '/webhooks/0/clientConfig', value: clientConfig }]);
    await until(
      'our Service to be called again',
      async () => {
        const [entry] = await entries();
        return at(entry, ['clientConfig', 'url']) === undefined && stringAt(entry, 'clientConfig', 'service', 'name');
      },
      5,
    );
    expect(problems).toEqual([]);
  });

  test('a conversion that was wiped from the CRD', async () => {
    await client.patch(RESOURCES.customResourceDefinition, ROLLOUTS, 'merge', {
      spec: { conversion: { strategy: 'None', webhook: null } },
    });
    await until('the conversion', async () => stringAt(await crd(), 'spec', 'conversion', 'strategy') === 'Webhook', 5);
  });
});

describe('two versions of the webhook side by side', () => {
  test('a path that the old one lacks waits, and is called once the old one is gone', async () => {
    const [current] = processes;
    const old = await startProcess(OLD_PATHS);
    if (current === undefined) throw new Error('no webhook runs');
    await makeReady(old);
    await until(
      'the path to leave with the last webhook that serves it',
      async () => (await entries()).length === NAMES.length - 1,
      5,
    );
    await makeReady(old, current);
    await until('both to be asked', () => keeper.state().webhooks.filter(({ answer }) => answer?.paths).length === 2);
    expect(keeper.state().waiting.get(ROUTE_TABLE.workload.path)).toBe('only 1 of 2 ready webhooks serve it');
    expect(await entryNames()).not.toContain('workloads.sluice.dev');
    await makeReady(current);
    await until('the path to be called', async () => (await entries()).length === NAMES.length, 5);
    await makeReady(old, current);
    await until('both to be asked', () => keeper.state().webhooks.filter(({ answer }) => answer?.paths).length === 2);
    await quiet();
    expect(await entryNames()).toEqual(NAMES);
    await makeReady(current);
  });
});

describe('with no webhook ready', () => {
  test('what is there stays as it is, a deletion by hand too; with the first ready one it comes back', async () => {
    await makeReady();
    await until('the outage to be seen', () => keeper.state().holds === 'no webhook is ready');
    expect(await entryNames()).toEqual(NAMES);
    await client.delete(RESOURCES.mutatingWebhookConfiguration, MUTATING);
    await until('the deletion to be seen', () => view.object(MUTATING.name) === undefined);
    await quiet();
    expect(await isGone()).toBe(true);
    const [current] = processes;
    if (current !== undefined) await makeReady(current);
    await until('the configuration', async () => (await entryNames()).length === NAMES.length, 5);
  });
});

describe('what certificates need to know', () => {
  test('every configuration and CRD carries a new bundle at once, and the certificates in use are told', async () => {
    const next = await issueAuthority(validFor(1, new Date(Date.now() - 60_000)));
    const both = `${authority.certificate}${next.certificate}`;
    keeper.trust(both);
    await until('all to carry it', async () => {
      const { bundles } = await keeper.inUse();
      return bundles.length === 1 && bundles[0] === both;
    });
    const { served } = await keeper.inUse();
    expect(served).toEqual([expect.stringContaining('BEGIN CERTIFICATE')]);
    expect(stringAt(await crd(), 'spec', 'conversion', 'webhook', 'clientConfig', 'caBundle')).toBe(base64(both));
  });

  test('a webhook whose certificate is not trusted serves nothing, and its certificate is known', async () => {
    const stranger = await startProcess(ALL_PATHS, await issueAuthority(validFor(1, new Date(Date.now() - 60_000))));
    const [current] = processes;
    if (current === undefined) throw new Error('no webhook runs');
    await makeReady(current, stranger);
    const known = await until('the answer', () =>
      keeper.state().webhooks.find(({ endpoint, answer }) => endpoint.address === stranger.address && answer),
    );
    expect(known.answer).toMatchObject({ paths: undefined, problem: expect.stringContaining('is not trusted') });
    expect((await keeper.inUse()).served).toHaveLength(2);
    expect(await entryNames()).toEqual(NAMES);
    await makeReady(current);
  });
});

describe('kinds that Rollouts name', () => {
  const kong = {
    group: 'configuration.konghq.com',
    version: 'v1',
    plural: 'udpingresses',
    scope: 'Namespaced',
  } as const;
  const rulesOf = async () => {
    const [gateway] = await entries();
    return JSON.stringify(at(gateway, ['rules']));
  };

  test('get a rule while they are named, and refused ones never', async () => {
    const secrets = { group: '', version: 'v1', plural: 'secrets', scope: 'Namespaced' } as const;
    expect(keeper.setKinds([kong, secrets]).map(({ kind }) => kind)).toEqual([secrets]);
    await until('the rule', async () => (await rulesOf()).includes('udpingresses'), 5);
    expect(await rulesOf()).not.toContain('secrets');
    keeper.setKinds([]);
    await until('the rule to go', async () => !(await rulesOf()).includes('udpingresses'), 5);
  });

  test('that nobody granted to us are told apart from those of the chart', async () => {
    const own = new Client(connection);
    expect(await missingVerbs(own, kong)).toEqual(['get', 'list', 'watch', 'patch']);
    expect(await missingVerbs(own, { group: 'networking.istio.io', plural: 'virtualservices' })).toEqual([]);
  });
});

describe('the manager of OpenKruise Rollouts', () => {
  test('is found by its Deployment, in any namespace, and by its webhook configurations, until both are out of the way', async () => {
    expect(await findPredecessor(client)).toBeUndefined();
    const labels = { 'control-plane': PREDECESSOR.deployment };
    const template = {
      metadata: { labels },
      spec: { containers: [{ name: 'manager', image: 'example.com/manager:1' }] },
    };
    await apply(namespace, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: PREDECESSOR.deployment },
      spec: { replicas: 1, selector: { matchLabels: labels }, template },
    });
    await apply(namespace, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: PREDECESSOR.validatingConfiguration },
      webhooks: [],
    });
    const found = await findPredecessor(client);
    expect(found).toEqual({
      managers: [`${namespace}/${PREDECESSOR.deployment}`],
      configurations: [PREDECESSOR.validatingConfiguration],
    });
    const commands =
      predecessorMessage(found ?? { managers: [], configurations: [] }).match(/^ {2}kubectl .*$/gm) ?? [];
    for (const command of commands) succeeded(await kubectl(command.trim().split(' ').slice(1)));
    await until('nothing to be in the way', async () => (await findPredecessor(client)) === undefined);
  });
});

describe('the end', () => {
  test('without the ClusterRole of the chart the configurations go, and are not made again', async () => {
    succeeded(await kubectl(['delete', 'clusterrole', 'sluice-controller']));
    await until('the garbage collector', isGone, 30);
    await quiet();
    expect(await isGone()).toBe(true);
  });

  test('the conversion ends on demand', async () => {
    await installRights();
    await keeper.release();
    expect(at(await crd(), ['spec', 'conversion'])).toEqual({ strategy: 'None' });
  });
});
