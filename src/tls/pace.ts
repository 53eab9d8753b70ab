/** How long certificates live and how carefully they change; all in milliseconds. */
export type CertificateSettings = {
  /** What the serving certificate is for: DNS names and IP addresses, at least one. */
  readonly hosts: readonly string[];
  readonly authorityLifetime: number;
  readonly servingLifetime: number;
  /** How long something must have been so everywhere before the next step of a rotation relies on it. */
  readonly settle: number;
};

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * A CA of one year changes every eight months: often enough that a rotation that does not work is noticed by people who
 * still know the cluster. A serving certificate lives a third of that, so that the CA's end never cuts it short,
 * and leaves 40 days to repair a controller that does not run.
 *
 * API servers learn of a changed webhook configuration by a watch. When it breaks, client-go lists again after 30 to 60 s at the
 * latest (`NewReflector`: backoff of 30 s, jitter 1.0). Five minutes are five such attempts, and cost nothing: a
 * rotation has four months.
 */
export const DEFAULT_LIFETIMES: Omit<CertificateSettings, 'hosts'> = {
  authorityLifetime: 365 * DAY,
  servingLifetime: (365 * DAY) / 3,
  settle: 5 * MINUTE,
};

/** X.509 counts whole seconds: below this they are too coarse for two thirds of a life and for a thirtieth. */
const SHORTEST = 30_000;

/** The waits, in milliseconds, made to fit the lifetimes. */
export type Pace = {
  readonly settle: number;
  /** How far `notBefore` lies in the past: clocks of other machines may be behind, or ours ahead. */
  readonly backDate: number;
  /** A certificate younger than this is renewed only when it is of no use; nor is one renewed to gain less than this. */
  readonly quiet: number;
  /** Between two looks while a rotation is under way. */
  readonly poll: number;
  /** Between two looks at rest: a clock that jumped and a Secret that was deleted are noticed after this at the latest. */
  readonly rest: number;
};

/**
 * No wait is longer than a thirtieth of the shorter life. After two thirds a third is left, ten times such a wait; a
 * rotation takes three (noticing, settling twice) plus what configurations and webhooks need.
 * @throws for lifetimes that cannot work.
 */
export function paceOf({ authorityLifetime, servingLifetime, settle }: CertificateSettings): Pace {
  const shorter = Math.min(authorityLifetime, servingLifetime);
  if (!(shorter >= SHORTEST)) throw new Error(`certificates must live ${SHORTEST / 1000} seconds at least`);
  if (servingLifetime > authorityLifetime) throw new Error('a serving certificate cannot outlive its CA');
  if (!(settle >= 0)) throw new Error('the time to settle must not be negative');
  const share = shorter / 30;
  const settled = Math.min(settle, share);
  return {
    settle: settled,
    backDate: Math.min(60 * MINUTE, share),
    quiet: Math.min(5 * MINUTE, share),
    poll: Math.max(50, Math.min(10_000, settled / 5)),
    rest: Math.min(10 * MINUTE, share),
  };
}
