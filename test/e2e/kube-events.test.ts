import { expect, test } from 'vitest';
import { nameOf } from '../../src/kube/client.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';

const { client, kubectl, namespace } = cluster();

test('events appear where people look, and what happens again is counted', async () => {
  const ns = await namespace();
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: ns, name: 'shop' } };
  const stored = await client.create(RESOURCES.configMap, object);
  const failures: Error[] = [];
  const events = eventRecorder(client, {
    reportingController: 'sluice.dev/controller',
    reportingInstance: 'test',
    onFailure: (error) => failures.push(error),
  });
  const text = { type: 'Warning', reason: 'ScriptBroken', action: 'CheckScripts' } as const;
  for (let i = 0; i < 5; i++) events.record({ ...object, ...stored }, { ...text, note: 'ümläut '.repeat(200) });
  events.record(
    { kind: 'Namespace', apiVersion: 'v1', metadata: { name: ns } },
    { ...text, type: 'Normal', note: 'of no namespace' },
  );
  await events.close();
  expect(failures).toEqual([]);

  const described = succeeded(await kubectl(['describe', 'configmap', '-n', ns, nameOf(object).name]));
  expect(described).toMatch(/Warning\s+ScriptBroken\s+.*\(x5 over .*sluice\.dev\/controller/);
  const others = succeeded(await kubectl(['get', 'events.events.k8s.io', '-n', 'default', '-o', 'json']));
  expect(JSON.parse(others).items).toContainEqual(
    expect.objectContaining({ note: 'of no namespace', regarding: expect.objectContaining({ name: ns }) }),
  );
});
