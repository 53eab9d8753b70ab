import { at } from '../json/value.ts';
import type { Client } from '../kube/client.ts';
import type { RuleKind } from './kinds.ts';

/** What the controller does with gateway objects: it watches them, reads them and sets one annotation. */
export const VERBS = ['get', 'list', 'watch', 'patch'] as const;
export type Verb = (typeof VERBS)[number];

/**
 * Which of our verbs on a kind nobody granted to us, in all namespaces. A kind with any of them missing gets no rule: its
 * writes would wait for a webhook that no directive ever reaches.
 * @throws as {@link Client.ask}
 */
export async function missingVerbs(
  client: Pick<Client, 'ask'>,
  kind: Pick<RuleKind, 'group' | 'plural'>,
): Promise<Verb[]> {
  const allowed = await Promise.all(VERBS.map((verb) => mayWe(client, verb, kind)));
  return VERBS.filter((_, index) => !allowed[index]);
}

async function mayWe(client: Pick<Client, 'ask'>, verb: Verb, { group, plural }: Pick<RuleKind, 'group' | 'plural'>) {
  const review = await client.ask('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, group, resource: plural } },
  });
  return at(review, ['status', 'allowed']) === true;
}
