const KiB = 1024;
const MiB = 1024 * KiB;

/** What the server takes at most; more is answered with an error, never cut off in silence. */
export type Limits = {
  /** Bytes of one AdmissionReview. */
  readonly reviewBytes: number;
  /** Bytes of one ConversionReview. */
  readonly conversionBytes: number;
  /** Requests that are being read or answered at one time. */
  readonly requestsInFlight: number;
  /** Bytes of all bodies that are being read or answered at one time. */
  readonly bytesInFlight: number;
};

/**
 * An AdmissionReview holds:
 * - `object`: an API server reads bodies of at most 3 MiB (`MaxRequestBodyBytes`, twice what etcd stores by default),
 *   and a patch may not make an object larger than that either;
 * - `oldObject`: what etcd holds (`--max-request-bytes`, 1.5 MiB), which protobuf stored in less room than JSON needs:
 *   it came in as JSON of at most 3 MiB, too;
 * - the rest: names, user, groups, `extra` of the user and options. Go's HTTP server ends headers at 1 MiB, so that no
 *   token or client certificate can say more about a user than that.
 *
 * 3 + 3 + 1 MiB; then Go's JSON encoder may write `<`, `>` and `&` with six bytes where the user sent one. That is rare
 * enough to be met with a margin of one MiB rather than with the worst case.
 *
 * A ConversionReview holds all objects of one list: for 10,000 Rollouts of 5 KiB about 50 MiB.
 */
export const DEFAULT_LIMITS: Limits = {
  reviewBytes: 8 * MiB,
  conversionBytes: 64 * MiB,
  requestsInFlight: 512,
  bytesInFlight: 128 * MiB,
};
