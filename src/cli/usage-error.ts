/**
 * The command cannot do what was asked for because of how it was called or what it was given to read: a missing file, a
 * flag out of range. The message says what to do instead; the process ends with {@link EXIT}`.usage`.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the process ends with. */
export const EXIT = {
  fine: 0,
  /** The command did its work and found something wrong with what it was given. */
  findings: 1,
  /** Wrong flags, or input that cannot be read. */
  usage: 2,
} as const;
