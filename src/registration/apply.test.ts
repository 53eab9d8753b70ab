import { beforeEach, describe, expect, test } from 'vitest';
import { type JsonMap, stringAt } from '../json/value.ts';
import type { Client } from '../kube/client.ts';
import { MemoryApi } from '../kube/memory-api.testing.ts';
import { RESOURCES } from '../kube/resource.ts';
import { bringAbout, type Intent, isAsIntended } from './apply.ts';

const RESOURCE = RESOURCES.mutatingWebhookConfiguration;
const NAME = { name: 'ours' };
const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ours';

const object = (webhooks: JsonMap[], metadata: JsonMap = {}): JsonMap => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { ...NAME, ...metadata },
  webhooks,
});
const ENTRY = { name: 'a.sluice.dev', clientConfig: { service: { name: 'sluice-webhook' } }, failurePolicy: 'Fail' };
const INTENT: Intent = {
  resource: RESOURCE,
  object: object([ENTRY], { labels: { 'app.kubernetes.io/name': 'sluice' }, ownerReferences: [{ uid: 'r1' }] }),
  exact: ['webhooks'],
};
const CRD_INTENT: Intent = {
  resource: RESOURCES.customResourceDefinition,
  object: { apiVersion: 'v1', kind: 'X', metadata: { name: 'crd' }, spec: { conversion: { strategy: 'None' } } },
  exact: ['spec', 'conversion'],
};

describe('an object is as intended', () => {
  test.each<[string, JsonMap]>([
    ['as it was applied', INTENT.object],
    [
      "with others' labels and owners beside ours",
      object([ENTRY], {
        labels: { team: 'a', 'app.kubernetes.io/name': 'sluice' },
        ownerReferences: [{ uid: 'other' }, { uid: 'r1', controller: true }],
      }),
    ],
  ])('%s', (_, live) => {
    expect(isAsIntended(live, INTENT)).toBe(true);
  });

  test.each<[string, JsonMap | undefined]>([
    ['it is not there', undefined],
    ['somebody added an entry', object([ENTRY, { name: 'other' }], INTENT.object['metadata'] as JsonMap)],
    ['somebody added a key to ours', object([{ ...ENTRY, timeoutSeconds: 1 }], INTENT.object['metadata'] as JsonMap)],
    ['a label of ours is gone', object([ENTRY], { ownerReferences: [{ uid: 'r1' }] })],
    ['the owner is gone', object([ENTRY], { labels: { 'app.kubernetes.io/name': 'sluice' } })],
  ])('but not when %s', (_, live) => {
    expect(isAsIntended(live, INTENT)).toBe(false);
  });

  test('with no list where an empty one is intended: API servers leave those out', () => {
    const { webhooks: _, ...live } = object([]);
    expect(isAsIntended(live, { ...INTENT, object: object([]) })).toBe(true);
  });
});

describe('bringing it about', () => {
  let api: MemoryApi;
  let client: Client;
  let sent: { what: string; query: string; contentType: string | undefined }[];

  beforeEach(() => {
    api = new MemoryApi();
    client = api.client();
    sent = [];
    api.answer = ({ path, contentType }, what) => {
      sent.push({ what, query: path.split('?')[1] ?? '', contentType });
      return undefined;
    };
  });

  const writes = () => sent.filter(({ what }) => !what.startsWith('GET'));

  test('is one forced apply under our name where nothing is in the way', async () => {
    const stored = await bringAbout(client, INTENT);
    expect(isAsIntended(stored, INTENT)).toBe(true);
    const query = 'fieldManager=sluice-controller&force=true';
    expect(sent).toEqual([{ what: `PATCH ${PATH}`, query, contentType: 'application/apply-patch+yaml' }]);
  });

  test('takes away by a second write what an apply leaves to its owner, and no more than that', async () => {
    const theirs = { labels: { team: 'a' }, annotations: { note: 'b' } };
    api.put(RESOURCE, object([{ ...ENTRY, clientConfig: { url: 'https://x' } }, { name: 'other' }], theirs));
    const stored = await bringAbout(client, INTENT);
    expect(stored['webhooks']).toEqual([ENTRY]);
    expect(stored['metadata']).toMatchObject({ annotations: theirs.annotations, labels: theirs.labels });
    expect(isAsIntended(stored, INTENT)).toBe(true);
    expect(writes()).toHaveLength(2);
  });

  test('takes keys of others out of a part that is a map', async () => {
    const webhook = { clientConfig: { service: { name: 'old' } } };
    const spec = { group: 'x', conversion: { strategy: 'Webhook', webhook } };
    api.put(CRD_INTENT.resource, { metadata: { name: 'crd' }, spec });
    const stored = await bringAbout(client, CRD_INTENT);
    expect(stored['spec']).toEqual({ group: 'x', conversion: { strategy: 'None' } });
  });

  test('mends by the second write alone what makes every apply invalid', async () => {
    api.put(RESOURCE, object([{ ...ENTRY, clientConfig: { url: 'https://x' } }]));
    api.answer = ({ contentType }) =>
      contentType === 'application/apply-patch+yaml' ? { status: 422, reason: 'Invalid' } : undefined;
    expect((await bringAbout(client, INTENT))['webhooks']).toEqual([ENTRY]);
  });

  test('throws the refusal where the object cannot be created', async () => {
    api.answer = (_, what) => (what.startsWith('PATCH') ? { status: 403, reason: 'Forbidden' } : undefined);
    await expect(bringAbout(client, INTENT)).rejects.toMatchObject({ status: 403, reason: 'Forbidden' });
  });

  test.each([
    ['an API server that is busy', { status: 503 } as const],
    ['no answer', 'nothing' as const],
  ])('makes no second write after %s', async (_, answer) => {
    api.put(RESOURCE, object([{ name: 'other' }]));
    api.answer = () => answer;
    await expect(bringAbout(client, INTENT)).rejects.toThrow(`PATCH ${PATH}`);
    expect(api.calls).toEqual([`PATCH ${PATH}`]);
  });

  test('based on a version, it is a conflict where the object has changed since, and changes nothing', async () => {
    const seen = stringAt(api.put(RESOURCE, object([])), 'metadata', 'resourceVersion') ?? '';
    const changed = api.put(RESOURCE, object([{ name: 'other' }]));
    await expect(bringAbout(client, INTENT, seen)).rejects.toMatchObject({ status: 409 });
    expect(api.get(RESOURCE, NAME)).toEqual(changed);
    const current = stringAt(changed, 'metadata', 'resourceVersion') ?? '';
    expect((await bringAbout(client, INTENT, current))['webhooks']).toEqual([ENTRY]);
  });

  test('is a conflict, too, where the object changes between the two writes', async () => {
    api.put(RESOURCE, object([ENTRY, { name: 'other' }]));
    api.answer = ({ contentType }) => {
      if (contentType === 'application/merge-patch+json') api.put(RESOURCE, object([{ name: 'third' }]));
      return undefined;
    };
    await expect(bringAbout(client, INTENT)).rejects.toMatchObject({ status: 409 });
    expect(api.get(RESOURCE, NAME)?.['webhooks']).toEqual([{ name: 'third' }]);
  });
});
