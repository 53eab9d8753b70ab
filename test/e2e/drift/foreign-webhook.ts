import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type JsonMap, stringAt } from '../../../src/json/value.ts';
import { issueLocal, validFor } from '../../../src/tls/generate.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import type { Subject } from './objects.ts';

/** A change as RFC 6902, made of the object that comes in; none when it is there already. */
export type Mutation = (object: JsonMap) => readonly JsonMap[];

export type ForeignWebhook = {
  /** How often it was asked since it is known to be called: all requests, and those that it changed. */
  calls(): { readonly asked: number; readonly changed: number };
  close(): Promise<void>;
};

/**
 * Opens a mutating webhook of somebody else in the API server's own network, for one kind in the labelled namespaces,
 * and waits until the API server calls it.
 * API servers call webhooks in the order of their configurations' names: `aaa-…` before Sluice's, `zzz-…` after.
 * @param namespace a labelled one, for a write that is not stored
 */
export async function openForeignWebhook(
  cluster: Cluster,
  name: string,
  { resource, source }: Subject,
  namespace: string,
  mutation: Mutation,
): Promise<ForeignWebhook> {
  let [asked, changed] = [0, 0];
  const { authority, serving } = await issueLocal(['127.0.0.1'], validFor(1, new Date(Date.now() - 60_000)));
  const server = createServer({ cert: serving.certificate, key: serving.key }, async (request, response) => {
    const review = (await json(request)) as { request: { uid: string; object: JsonMap } };
    const operations = mutation(review.request.object);
    asked += 1;
    if (operations.length > 0) changed += 1;
    const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
    const answer = { uid: review.request.uid, allowed: true, patchType: 'JSONPatch', patch };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        clientConfig: {
          url: `https://127.0.0.1:${port}/`,
          caBundle: Buffer.from(authority.certificate).toString('base64'),
        },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        reinvocationPolicy: 'IfNeeded',
        namespaceSelector: { matchLabels: { webhook: name } },
        rules: [
          {
            apiGroups: [resource.group],
            apiVersions: [resource.version],
            resources: [resource.plural],
            operations: ['CREATE', 'UPDATE'],
          },
        ],
      },
    ],
  };
  succeeded(await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(configuration) }));
  const probe = { ...source, metadata: { name: 'probe', namespace } };
  await until(`${stringAt(configuration, 'metadata', 'name')} to be called`, async () => {
    await cluster.client.create(resource, probe, { dryRun: true });
    return changed > 0;
  });
  [asked, changed] = [0, 0];
  return {
    calls: () => ({ asked, changed }),
    async close() {
      succeeded(await cluster.kubectl(['delete', 'mutatingwebhookconfiguration', name]));
      server.close();
      server.closeAllConnections();
    },
  };
}
