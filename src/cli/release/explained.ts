import { ApiError, NoAnswer } from '../../kube/api-error.ts';
import type { Resource } from '../../kube/resource.ts';
import { UsageError } from '../usage-error.ts';

/** What was asked of the API server. */
export type Asked = {
  readonly verb: 'get' | 'list' | 'watch' | 'patch';
  readonly resource: Resource;
  readonly subresource?: string;
  readonly namespace?: string | undefined;
  readonly name?: string;
};

const CHECK_ACCESS = 'check --kubeconfig, --context and KUBECONFIG';

/** RBAC's own words; the same status comes from webhooks that deny a write, which have words of theirs. */
const MISSING_RIGHT = /cannot \w+ resource/;

/**
 * An error of the API as one that says what to do; any other error as it is.
 * @param server for the message, where nobody answered
 */
export function explained(error: unknown, asked: Asked, server: string): unknown {
  if (error instanceof NoAnswer) {
    return new UsageError(`${server} does not answer: ${error.message}; ${CHECK_ACCESS}`, { cause: error });
  }
  if (!(error instanceof ApiError)) return error;
  const said = (message: string) => new UsageError(message, { cause: error });
  if (error.status === 401) return said(`${server} does not accept these credentials: log in again`);
  if (error.status === 403 && MISSING_RIGHT.test(error.message)) return said(missingRight(asked));
  if (error.status === 404 && asked.name === undefined) return said(notServed(asked.resource));
  return said(error.message);
}

/** Which right somebody lacks, as their administrator has to write it. */
export function missingRight({ verb, resource, subresource, namespace }: Asked): string {
  const { group, plural } = resource;
  const what = subresource === undefined ? plural : `${plural}/${subresource}`;
  const where = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`;
  const rule = `{apiGroups: ["${group}"], resources: ["${what}"], verbs: ["${verb}"]}`;
  return `you may not ${verb} ${what} ${where}: ask for a Role with the rule ${rule}`;
}

function notServed({ group, plural }: Resource): string {
  return group === 'rollouts.kruise.io'
    ? 'the cluster knows no Rollouts: install Sluice (see chart/README.md), or choose another cluster by --context'
    : `the cluster does not serve ${plural}${group === '' ? '' : ` of ${group}`}`;
}
