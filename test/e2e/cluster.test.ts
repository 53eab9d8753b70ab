import { expect, test } from 'vitest';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import { echoDeployment, echoService } from './echo.ts';
import { type PodView, podsOf } from './pods.ts';

const { apply, kubectl, namespace, restartApiServer, as } = cluster();

async function ready(ns: string, app: string, version: string, count: number): Promise<PodView[]> {
  return await until(`${count} ready pods of ${app} ${version}`, async () => {
    const pods = await podsOf(kubectl, ns, `app=${app}`);
    const good = pods.filter((pod) => pod.isReady && !pod.isEnding && pod.version === version);
    return good.length === count && pods.length === count && good;
  });
}

async function ask(
  pod: PodView,
  path = '/',
): Promise<{ version: string; labels: Record<string, string>; pod: string }> {
  const response = await fetch(`http://${pod.ip}:8080${path}`, { signal: AbortSignal.timeout(2_000) });
  return (await response.json()) as { version: string; labels: Record<string, string>; pod: string };
}

test('a Deployment of two pods becomes ready on both nodes, and each pod answers with its version and labels', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'echo', version: 'v1', replicas: 2 }), echoService('echo'));
  const pods = await ready(ns, 'echo', 'v1', 2);
  expect(new Set(pods.map(({ node }) => node))).toEqual(new Set(['node-1', 'node-2']));
  for (const pod of pods) {
    const answer = await ask(pod, '/some/path?x=1');
    expect(answer).toMatchObject({ version: 'v1', pod: pod.name, path: '/some/path?x=1', method: 'GET' });
    expect(answer.labels).toMatchObject({ app: 'echo', version: 'v1' });
  }
  const endpoints = await until('the endpoints of the Service', async () => {
    const selector = 'kubernetes.io/service-name=echo';
    const slices = JSON.parse(
      succeeded(await kubectl(['get', 'endpointslices', '-n', ns, '-l', selector, '-o', 'json'])),
    );
    const found: string[] = slices.items.flatMap((slice: { endpoints: { addresses: string[] }[] | null }) =>
      (slice.endpoints ?? []).flatMap(({ addresses }) => addresses),
    );
    return found.length === 2 && found;
  });
  expect(new Set(endpoints)).toEqual(new Set(pods.map(({ ip }) => ip)));
});

test('kubectl logs shows what a container wrote, its last lines, and follows it', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'talk', version: 'v1', replicas: 1 }));
  const [pod] = await ready(ns, 'talk', 'v1', 1);
  if (pod === undefined) throw new Error('no pod');
  await ask(pod, '/one');
  await ask(pod, '/two');
  const all = await until('both requests in the log', async () => {
    const text = succeeded(await kubectl(['logs', '-n', ns, pod.name]));
    return text.includes('GET /two') && text;
  });
  expect(all).toContain(`listening on ${pod.ip}\n`);
  expect(succeeded(await kubectl(['logs', '-n', ns, pod.name, '--tail=1']))).toMatch(/^GET .*\n$/);
  const following = kubectl(['logs', '-n', ns, '-f', pod.name]);
  await ask(pod, '/three');
  succeeded(await kubectl(['delete', 'pod', '-n', ns, pod.name]));
  expect(succeeded(await following)).toMatch(/GET \/three\n(.*\n)*bye\n$/);
});

test('a process that ends is started again, counted, and its exit code and log are kept', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'crash', version: 'v1', replicas: 1 }));
  const [pod] = await ready(ns, 'crash', 'v1', 1);
  if (pod === undefined) throw new Error('no pod');
  await ask(pod, '/exit').catch(() => undefined); // it dies before it answers
  const again = await until('the restart', async () => {
    const [found] = await podsOf(kubectl, ns, 'app=crash');
    return found?.isReady && found.restarts === 1 && found;
  });
  expect(again).toMatchObject({ name: pod.name, ip: pod.ip, lastExitCode: 3 });
  expect(succeeded(await kubectl(['logs', '-n', ns, pod.name, '--previous']))).toContain('listening on');
  expect((await ask(again)).version).toBe('v1');
});

test('a change of a ConfigMap, a Secret or a label reaches the files of running pods', async () => {
  const ns = await namespace();
  const script = 'while :; do cat /etc/settings/color /etc/keys/key; grep tier /etc/podinfo/labels; sleep 0.2; done';
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'files', labels: { tier: 'one' } },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'echo',
          command: ['sh', '-c', script],
          volumeMounts: [
            { name: 'settings', mountPath: '/etc/settings' },
            { name: 'keys', mountPath: '/etc/keys' },
            { name: 'podinfo', mountPath: '/etc/podinfo' },
          ],
        },
      ],
      volumes: [
        { name: 'settings', configMap: { name: 'settings' } },
        { name: 'keys', secret: { secretName: 'keys' } },
        { name: 'podinfo', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      ],
      terminationGracePeriodSeconds: 0,
    },
  };
  const settings = (color: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings' },
    data: { color },
  });
  const keys = (key: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, stringData: { key } });
  let last = '';
  const lastLine = async (line: string): Promise<void> => {
    await until(`the line ${line}`, async () => {
      const log = await kubectl(['logs', '-n', ns, 'files', '--tail=1']);
      last = log.stdout + log.stderr;
      return log.stdout === `${line}\n`;
    }).catch((error: unknown) => {
      throw new Error(`the last line is ${last}`, { cause: error });
    });
  };
  await apply(ns, settings('red'), keys('k1'), pod);
  await lastLine('redk1tier="one"');
  await apply(ns, settings('blue'), keys('k2'));
  await lastLine('bluek2tier="one"');
  succeeded(await kubectl(['label', 'pod', '-n', ns, 'files', '--overwrite', 'tier=two']));
  await lastLine('bluek2tier="two"');
});

test('a rolling update replaces the pods, and never has fewer ready than asked for', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'roll', version: 'v1', replicas: 2 }));
  await ready(ns, 'roll', 'v1', 2);
  let fewest = 2;
  const watching = new AbortController();
  const watch = (async () => {
    while (!watching.signal.aborted) {
      const pods = await podsOf(kubectl, ns, 'app=roll');
      fewest = Math.min(fewest, pods.filter(({ isReady, isEnding }) => isReady && !isEnding).length);
    }
  })();
  await apply(ns, echoDeployment({ name: 'roll', version: 'v2', replicas: 2 }));
  const pods = await ready(ns, 'roll', 'v2', 2);
  watching.abort();
  await watch;
  for (const pod of pods) expect((await ask(pod)).version).toBe('v2');
  expect(fewest).toBeGreaterThanOrEqual(2);
});

test('a deleted pod gets SIGTERM and its grace, and its process is gone when the object is', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'end', version: 'v1', replicas: 1 }));
  const [pod] = await ready(ns, 'end', 'v1', 1);
  if (pod === undefined) throw new Error('no pod');
  succeeded(await kubectl(['delete', 'deployment', '-n', ns, 'end', '--wait']));
  await until('the pod to go', async () => (await podsOf(kubectl, ns, 'app=end')).length === 0);
  await expect(ask(pod)).rejects.toThrow();
});

test('a pod speaks to the API server with the token, the certificate and the namespace of its files', async () => {
  const ns = await namespace();
  const account = '/var/run/secrets/kubernetes.io/serviceaccount';
  const program = `
    const { readFileSync } = require('node:fs');
    const read = (name) => readFileSync('${account}/' + name, 'utf8');
    const url = 'https://' + process.env.KUBERNETES_SERVICE_HOST + ':' + process.env.KUBERNETES_SERVICE_PORT
      + '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' });
    const headers = { authorization: 'Bearer ' + read('token'), 'content-type': 'application/json' };
    const request = require('node:https').request(url, { method: 'POST', ca: read('ca.crt'), headers }, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => console.log(JSON.parse(text).status.userInfo.username, read('namespace')));
    });
    request.end(body);`;
  const container = { name: 'main', image: 'echo', command: ['node', '-e', program] };
  const template = { spec: { restartPolicy: 'Never', containers: [container] } };
  await apply(ns, { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'who' }, spec: { template } });
  succeeded(await kubectl(['wait', '--for=condition=complete', '-n', ns, 'job/who', '--timeout=30s']));
  expect(succeeded(await kubectl(['logs', '-n', ns, 'job/who']))).toBe(`system:serviceaccount:${ns}:default ${ns}\n`);
});

test('a container that cannot start says why: no such image, no such ConfigMap', async () => {
  const ns = await namespace();
  const pod = (name: string, container: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', ...container }], terminationGracePeriodSeconds: 0 },
  });
  const missing = { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'later', key: 'color' } } };
  await apply(ns, pod('unknown', { image: 'no/such:1' }), pod('waits', { image: 'echo', env: [missing] }));
  const reason = '{.status.containerStatuses[0].state.waiting.reason}';
  for (const [name, expected] of [
    ['unknown', 'ErrImagePull'],
    ['waits', 'CreateContainerConfigError'],
  ] as const) {
    succeeded(
      await kubectl(['wait', '-n', ns, `pod/${name}`, `--for=jsonpath=${reason}=${expected}`, '--timeout=30s']),
    );
  }
  await apply(ns, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later' }, data: { color: 'red' } });
  succeeded(await kubectl(['wait', '-n', ns, 'pod/waits', '--for=condition=Ready', '--timeout=30s']));
});

test('a liveness probe that fails restarts its container; a readiness probe that fails takes the pod out', async () => {
  const ns = await namespace();
  const exec = (file: string) => ({
    exec: { command: ['test', '-e', `/state/${file}`] },
    periodSeconds: 1,
    failureThreshold: 1,
  });
  const container = {
    name: 'main',
    image: 'echo',
    command: [
      'sh',
      '-c',
      'touch /state/alive /state/ready; sleep 2; rm /state/ready; sleep 3; rm /state/alive; sleep 60',
    ],
    volumeMounts: [{ name: 'state', mountPath: '/state' }],
    livenessProbe: { ...exec('alive'), initialDelaySeconds: 1 },
    readinessProbe: exec('ready'),
  };
  const spec = {
    containers: [container],
    volumes: [{ name: 'state', emptyDir: {} }],
    terminationGracePeriodSeconds: 1,
  };
  await apply(ns, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probed' }, spec });
  const wait = async (condition: string): Promise<void> => {
    succeeded(await kubectl(['wait', '-n', ns, 'pod/probed', `--for=${condition}`, '--timeout=30s']));
  };
  await wait('condition=Ready');
  await wait('condition=Ready=false');
  await wait('jsonpath={.status.containerStatuses[0].restartCount}=1');
});

test('an API server that restarts finds the pods as they were, and the cluster goes on', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'stay', version: 'v1', replicas: 1 }));
  const [before] = await ready(ns, 'stay', 'v1', 1);
  await restartApiServer();
  await apply(ns, echoDeployment({ name: 'stay', version: 'v1', replicas: 2 }));
  const after = await ready(ns, 'stay', 'v1', 2);
  expect(after.map(({ name, restarts }) => [name, restarts])).toContainEqual([before?.name, 0]);
});

test('other users have the rights that RBAC gives them', async () => {
  const ns = await namespace();
  const users = { account: await as(`system:serviceaccount:${ns}:default`), alice: await as('alice') };
  for (const kubeconfig of Object.values(users)) {
    const refused = await kubectl(['get', 'pods', '-n', ns], { kubeconfig });
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('forbidden') });
  }
  succeeded(await kubectl(['create', 'rolebinding', '-n', ns, 'alice', '--clusterrole=view', '--user=alice']));
  await until('alice to be let in', async () => {
    const { exitCode } = await kubectl(['get', 'pods', '-n', ns], { kubeconfig: users.alice });
    return exitCode === 0;
  });
});

test('a Service is reached by its name from pods, takes turns, and refuses when it has no ready endpoint', async () => {
  const ns = await namespace();
  await apply(ns, echoDeployment({ name: 'turns', version: 'v1', replicas: 2 }), echoService('turns'));
  const pods = await ready(ns, 'turns', 'v1', 2);
  const program = `(async () => {
    const seen = new Set();
    for (let i = 0; i < 100 && seen.size < 2; i += 1) {
      const answer = await fetch('http://turns.${ns}.svc/', { headers: { connection: 'close' } }).catch(() => undefined);
      if (answer) seen.add((await answer.json()).pod);
    }
    console.log([...seen].sort().join(' '));
  })()`;
  const container = { name: 'main', image: 'echo', command: ['node', '-e', program] };
  const template = { spec: { restartPolicy: 'Never', containers: [container] } };
  await apply(ns, { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'asks' }, spec: { template } });
  succeeded(await kubectl(['wait', '--for=condition=complete', '-n', ns, 'job/asks', '--timeout=30s']));
  const names = pods.map(({ name }) => name).sort();
  expect(succeeded(await kubectl(['logs', '-n', ns, 'job/asks']))).toBe(`${names.join(' ')}\n`);

  const address = succeeded(await kubectl(['get', 'service', '-n', ns, 'turns', '-o', 'jsonpath={.spec.clusterIP}']));
  expect((await fetch(`http://${address}/`)).status).toBe(200);
  succeeded(await kubectl(['scale', 'deployment', '-n', ns, 'turns', '--replicas=0']));
  await until('the address to refuse', async () => {
    const cause = await fetch(`http://${address}/`).then(
      () => undefined,
      (error: Error) => error.cause,
    );
    return (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
  });
});
