import { ROUTE_TABLE } from '../admission/routes.ts';
import type { RegistrationPlan } from './plan.ts';
import type { KnownWebhook } from './webhooks.ts';

/** The entries that hold releases and rewrite objects: without them everything passes, and nobody would notice. */
const GUARDS = [ROUTE_TABLE.workload.path, ROUTE_TABLE.gateway.path];

export type Calls = Pick<RegistrationPlan, 'waiting' | 'holds'> & {
  /** The paths that stored configurations name. */
  readonly called: ReadonlySet<string>;
  /** Why configurations cannot be written now. */
  readonly problem: string | undefined;
};

/** `reason` is for people who look at a Rollout, `detail` for the log. */
export type Uncalled = { readonly reason: string; readonly detail: string };

/**
 * Whether API servers ask Sluice about workloads and gateway objects: they do; they do not, and why, once that has lasted;
 * or it is not decided, as nothing has been read yet, or as it may be a start or a change of the version.
 */
export type Calling = 'called' | 'undecided' | { readonly reason: string };

/**
 * Why API servers do not ask Sluice about workloads or gateway objects, for people; undefined when they do. An outage is no
 * reason: what is registered stays registered.
 */
export function whyUncalled(
  { called, waiting, holds, problem }: Calls,
  webhooks: readonly KnownWebhook[],
): Uncalled | undefined {
  const missing = GUARDS.filter((path) => !called.has(path));
  const [first] = missing;
  if (first === undefined) return undefined;
  const why = problem === undefined ? (holds ?? waiting.get(first)) : 'the webhook configurations cannot be written';
  const problems = webhooks.flatMap(({ endpoint, answer }) =>
    answer?.problem === undefined ? [] : [`${endpoint.address}:${endpoint.port}: ${answer.problem}`],
  );
  const verb = missing.length === 1 ? 'is' : 'are';
  return {
    reason: `${missing.join(' and ')} ${verb} not called: ${why ?? 'the webhook configurations are not written yet'}`,
    detail: [...(problem === undefined ? [] : [problem]), ...problems].join('; '),
  };
}
