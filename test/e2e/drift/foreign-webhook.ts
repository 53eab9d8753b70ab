import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { JsonMap } from '../../../src/json/value.ts';
import { issueLocal, validFor } from '../../../src/tls/generate.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { succeeded } from '../../cluster/cluster.ts';
import type { Subject } from './objects.ts';

/** A change as RFC 6902, made of the object that comes in; none when it is there already. */
export type Mutation = (object: JsonMap) => readonly JsonMap[];

/**
 * Opens a mutating webhook of somebody else in the API server's own network, for one kind in the labelled namespaces.
 * API servers call webhooks in the order of their configurations' names: `aaa-…` before Sluice's, `zzz-…` after.
 * @returns what removes it
 */
export async function openForeignWebhook(
  cluster: Cluster,
  name: string,
  { resource }: Subject,
  mutation: Mutation,
): Promise<() => Promise<void>> {
  const { authority, serving } = await issueLocal(['127.0.0.1'], validFor(1, new Date(Date.now() - 60_000)));
  const server = createServer({ cert: serving.certificate, key: serving.key }, async (request, response) => {
    const { request: asked } = (await json(request)) as { request: { uid: string; object: JsonMap } };
    const patch = Buffer.from(JSON.stringify(mutation(asked.object))).toString('base64');
    const answer = { uid: asked.uid, allowed: true, patchType: 'JSONPatch', patch };
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
  return async () => {
    succeeded(await cluster.kubectl(['delete', 'mutatingwebhookconfiguration', name]));
    server.close();
    server.closeAllConnections();
  };
}
