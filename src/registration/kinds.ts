import { refusedGroup } from '../api/gateway-groups.ts';

/** A kind as a webhook rule names it. */
export type RuleKind = {
  readonly group: string;
  /** The version that its CRD stores: reviews bring objects in this one, whatever version was written. */
  readonly version: string;
  readonly plural: string;
  readonly scope: 'Namespaced' | 'Cluster';
};

/** RFC 1123 labels and names, as API groups, versions and plurals must be. No wildcard and no subresource fits. */
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Why no rule is made for a kind that a Rollout names; undefined when it may have one. */
export function refusalOf({ group, version, plural }: RuleKind): string | undefined {
  const refused = refusedGroup(group);
  if (refused !== undefined) return refused;
  if (![group, version, plural].every((part) => NAME.test(part)))
    return `"${group}/${version}/${plural}" is no kind of the API`;
  return undefined;
}
