import { afterAll, beforeAll, expect, test } from 'vitest';
import { look } from '../../../src/cli/release/look.ts';
import { Requests } from '../../../src/cli/release/requests.ts';
import { at, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { GATEWAY_GROUP, type Held, heldRelease } from './held.ts';
import { plugin } from './plugin.ts';

const server = cluster();
const { client, kubectl } = server;
const { run, start } = plugin(server);

let held: Held;
let shop = '';

beforeAll(async () => {
  held = await heldRelease(server);
  shop = held.namespace;
});

afterAll(async () => {
  await kubectl(['delete', '-f', '-', '--ignore-not-found'], { stdin: await usersRoles() });
  await kubectl(['delete', 'crd', `wafs.${GATEWAY_GROUP}`, '--ignore-not-found', '--wait=false']);
});

/** The output of `kubectl sluice …` in the namespace of the release, as a user with these rights. */
const said = async (args: readonly string[], kubeconfig?: string): Promise<string> =>
  succeeded(await run([...args, '-n', shop], kubeconfig));
const statusOf = async (...path: string[]) => at(await held.rollout(), ['status', ...path]);

/** What the chart adds to the roles `view`, `edit` and `admin`. */
async function usersRoles(): Promise<string> {
  const shown = ['--kube-version', '1.36', '--show-only', 'templates/rbac-users.yaml'];
  return succeeded(await server.helm(['template', 'sluice', 'chart', ...shown]));
}

/** A version whose image is nowhere. */
async function breakVersion(): Promise<void> {
  const patch = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'no-such-image:9' }];
  await client.patch(RESOURCES.deployment, { namespace: shop, name: 'web' }, 'json', patch);
}

/** Somebody with a role that the chart adds to, in the namespace of the release. */
async function user(name: string, role: 'view' | 'edit'): Promise<string> {
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: await usersRoles() }));
  succeeded(await kubectl(['create', 'rolebinding', name, '-n', shop, `--clusterrole=${role}`, `--user=${name}`]));
  const kubeconfig = await server.as(name);
  await until('the aggregated rights', async () => {
    const { stdout } = await kubectl(['auth', 'can-i', 'list', 'rollouts.rollouts.kruise.io', '-n', shop], {
      kubeconfig,
    });
    return stdout.trim() === 'yes';
  });
  return kubeconfig;
}

test('as a plugin of kubectl: help speaks of kubectl, and errors end with 1', async () => {
  expect(succeeded(await run(['status', '--help']))).toMatch(/^Usage: kubectl sluice status /);
  const { exitCode, stderr } = await run(['status', 'webb', '-n', shop]);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: `error: there is no Rollout webb in namespace ${shop}; did you mean web?\n`,
  });
});

test('get shows the Rollout here, and among those of all namespaces', async () => {
  expect(await said(['get'])).toMatch(/^NAME .*\nweb +partition +Progressing +1\/3 ◐○○ +StepPaused +20% /);
  const all = JSON.parse(succeeded(await run(['get', '-A', '-o', 'json'])));
  expect(all).toContainEqual(expect.objectContaining({ namespace: shop, name: 'web', step: 1, weight: 20 }));
});

test('status shows real pods of both versions, who is who, the gateway object, and what is waited for', async () => {
  const text = await said(['status', 'web']);
  const [stable, canary] = ['stable', 'canary'].map(
    (role) => new RegExp(`ReplicaSet (\\S+) +${role} .*`).exec(text)?.[0],
  );
  expect(stable).toMatch(/revision 1 .* 3\/3 ready$/);
  expect(canary).toMatch(/revision 2 .* 1\/1 ready$/);
  expect(text.match(/Pod web-\S+ +Running +1\/1 +0 restarts/g)).toHaveLength(4);
  expect(text).toMatch(/Service web +as without a release/);
  expect(text).toMatch(/Waf web +to the new version: 20% +step 1/);
  expect(text.trimEnd().split('\n').at(-1)).toContain(`kubectl sluice approve web -n ${shop}`);
});

test('who may view the namespace sees the release but for the kinds that the role leaves out, and may approve nothing', async () => {
  const viewer = await user('viewer', 'view');
  const text = await said(['status', 'web'], viewer);
  expect(text.match(/Pod web-/g)).toHaveLength(4);
  expect(text).toContain(
    `you may not get wafs in namespace ${shop}: ask for a Role with the rule {apiGroups: ["${GATEWAY_GROUP}"], resources: ["wafs"], verbs: ["get"]}`,
  );
  const { exitCode, stderr } = await run(['approve', 'web', '-n', shop], viewer);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: `error: you may not patch rollouts/status in namespace ${shop}: ask for a Role with the rule {apiGroups: ["rollouts.kruise.io"], resources: ["rollouts/status"], verbs: ["patch"]}\n`,
  });
});

test('who may edit the namespace steers the release: each command writes what the controller acts on', async () => {
  const editor = await user('editor', 'edit');
  const writes = async (args: readonly string[], ...path: string[]) => {
    await held.write(held.status());
    await said(args, editor);
    return statusOf(...path);
  };
  expect(await writes(['approve', 'web', '--step', '1'], 'canaryStatus', 'currentStepState')).toBe('StepReady');
  expect(await statusOf('release', 'approvedStep')).toBe(1);
  expect(await writes(['promote', 'web'], 'canaryStatus', 'currentStepState')).toBe('StepReady');
  expect(await writes(['promote', 'web', '--full'], 'release', 'request')).toBe('promote');
  expect(await writes(['abort', 'web'], 'release', 'request')).toBe('abort');
  expect(await writes(['jump', 'web', '3'], 'canaryStatus', 'nextStepIndex')).toBe(3);
  const paused = async (verb: string) => {
    await said([verb, 'web'], editor);
    return at(await held.rollout(), ['spec', 'strategy', 'paused']);
  };
  expect([await paused('pause'), await paused('resume')]).toEqual([true, undefined]);
  const managers = JSON.stringify(at(await held.rollout(), ['metadata', 'managedFields']));
  expect(managers).toContain('"kubectl-sluice"');
});

test('retry is for a release that was aborted', async () => {
  await held.write(held.status());
  expect((await run(['retry', 'web', '-n', shop])).stderr).toContain('there is nothing to retry');
  const condition = { type: 'Progressing', status: 'True', reason: 'Paused', message: '' };
  await held.write(held.status({}, { conditions: [condition] }, { outcome: 'Abort' }));
  expect(await said(['status', 'web'])).toContain('the old version serves again (Abort)');
  await said(['retry', 'web']);
  expect(await statusOf('release', 'request')).toBe('retry');
});

test('a precondition that does not hold any more is answered as a conflict, by both kinds of patches', async () => {
  await held.write(held.status());
  const requests = new Requests(client, { at: () => undefined, end: () => undefined });
  const { rollout } = await look(requests, shop, 'web');
  const deployment = await held.deployment();
  succeeded(await kubectl(['annotate', '-n', shop, 'rollout/web', 'deployment/web', 'changed=meanwhile']));
  expect(await requests.patchStatus(rollout, { release: { request: 'abort' } })).toBe('conflict');
  const operation = { op: 'replace', path: '/spec/replicas', value: 9 } as const;
  expect(await requests.patchDeployment(deployment, [operation], false)).toBe('conflict');
  expect(at(await held.deployment(), ['spec', 'replicas'])).toBe(3);
  expect(await statusOf('release', 'request')).toBeUndefined();
  expect(await requests.patchDeployment(await held.deployment(), [{ ...operation, value: 3 }], false)).toBe('written');
});

test('what the API server refuses for another reason is no conflict', async () => {
  const requests = new Requests(client, { at: () => undefined, end: () => undefined });
  const operation = { op: 'replace', path: '/spec/replicas', value: -1 } as const;
  await expect(requests.patchDeployment(await held.deployment(), [operation], false)).rejects.toThrow(/is invalid/);
});

test('status --watch --wait follows real pods and the status by watches, and ends with the release', async () => {
  await held.write(held.status());
  const { lines, ended } = start(['status', 'web', '--watch', '--wait', '--timeout', '2m', '-n', shop]);
  const appears = (text: string) => until(`"${text}"`, () => lines.some((line) => line.includes(text)));
  await appears('step 1/3 StepPaused');
  await appears('canary, echo, 1/1 ready');
  const selector = ['-l', 'version=v2'];
  succeeded(await kubectl(['delete', 'pod', '-n', shop, ...selector, '--wait=false']));
  await appears('canary, echo, 0/1 ready');
  await held.write(held.status({ currentStepState: 'StepUpgrade', currentStepIndex: 2 }));
  await appears('step 2/3 StepUpgrade');
  const condition = { type: 'Progressing', status: 'True', reason: 'Cancelling', message: '' };
  await held.write(held.status({}, { conditions: [condition] }, { outcome: 'Rollback' }));
  await appears('traffic and pods go back');
  succeeded(await kubectl(['annotate', '-n', shop, 'deployment/web', 'directive.sluice.dev/web-']));
  await held.write(held.status({ currentStepState: 'Completed' }, { phase: 'Healthy' }, { outcome: 'Rollback' }));
  const { exitCode, stderr } = await ended;
  expect({ exitCode, stderr }).toEqual({
    exitCode: 3,
    stderr: `Rollout ${shop}/web: the release has ended with Rollback\n`,
  });
});

test('status --wait at an approval ends with 2 when its time is over', async () => {
  await held.write(held.status());
  const { exitCode, stderr } = await run(['status', 'web', '--wait', '--timeout', '1s', '-n', shop]);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: `Rollout ${shop}/web: not at its end after 1s, step 1/3 StepPaused: step 1 waits for approval: kubectl sluice approve web -n ${shop}\n`,
  });
});

test('an image that cannot be had is named at its pod', async () => {
  await breakVersion();
  await held.write(held.status({ currentStepState: 'StepUpgrade' }));
  const text = await until('the pod', async () => {
    const shown = await said(['status', 'web']);
    return /ErrImagePull|ImagePullBackOff/.test(shown) ? shown : undefined;
  });
  expect(text).toMatch(/Pod web-\S+ +Err?ImagePull +0\/1 +0 restarts +\S+ +\S/);
});

test('undo puts the old template back, of a paused Deployment too, where kubectl refuses; a dry run does not', async () => {
  await breakVersion();
  succeeded(await kubectl(['patch', 'deployment', 'web', '-n', shop, '-p', '{"spec":{"paused":true}}']));
  const native = await kubectl(['rollout', 'undo', 'deployment/web', '-n', shop]);
  expect(native.stderr).toContain('paused');
  const before = at(await held.deployment(), ['spec', 'template']);
  const dry = await run(['undo', 'web', '--to-revision', '1', '--dry-run', '-n', shop]);
  expect(dry.stdout).toContain('(dry run)');
  expect(at(await held.deployment(), ['spec', 'template'])).toEqual(before);
  const { stdout, stderr, exitCode } = await run(['undo', 'web', '--to-revision', '1', '-n', shop]);
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: expect.stringContaining('Deployment web goes back to revision 1 (echo)'),
  });
  expect(stderr).toContain('Warning: the source of the Deployment (Git, a chart) still says no-such-image:9');
  const after = at(await held.deployment(), ['spec', 'template']);
  expect(stringAt(after, 'metadata', 'labels', 'version')).toBe('v1');
  expect(at(after, ['metadata', 'labels', 'pod-template-hash'])).toBeUndefined();
});

test('history lists the revisions that the native controller has numbered', async () => {
  const { revisions } = JSON.parse(await said(['history', 'web', '-o', 'json'])) as { revisions: JsonMap[] };
  const numbers = revisions.map(({ revision }) => Number(revision));
  expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
  const images = revisions.map((revision) => revision['images']);
  expect(images).toEqual(expect.arrayContaining(['echo', 'no-such-image:9']));
  expect(await said(['history', 'web'])).toMatch(/^REVISION +VERSION +TEMPLATE/);
});
