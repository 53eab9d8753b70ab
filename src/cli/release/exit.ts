/** What the commands for releases end with, made for pipelines; the others have the codes of `EXIT`. */
export const RELEASE_EXIT = {
  /** Carried out; of `status --wait`: the new version serves, or there was nothing to release. */
  done: 0,
  /** Wrong flags, something that cannot be done now, no answer. */
  error: 1,
  /** `status --wait`: the time is over, and the release waits for an approval. */
  approval: 2,
  /** `status --wait`: the release has ended otherwise than with success. */
  wentBack: 3,
  /** `status --wait`: the time is over. */
  timeout: 4,
  /** A signal ended `status --wait`. */
  interrupted: 130,
} as const;
