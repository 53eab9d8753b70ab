const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How lengths below `below` are told: in one unit, with what is left over in a smaller one. */
type Telling = {
  readonly below: number;
  readonly unit: number;
  readonly name: string;
  readonly rest?: { readonly unit: number; readonly name: string };
};

/** The longer it is, the less of it matters. */
const TELLINGS: readonly Telling[] = [
  { below: 2 * MINUTE, unit: 1, name: 's' },
  { below: 10 * MINUTE, unit: MINUTE, name: 'm', rest: { unit: 1, name: 's' } },
  { below: 3 * HOUR, unit: MINUTE, name: 'm' },
  { below: 8 * HOUR, unit: HOUR, name: 'h', rest: { unit: MINUTE, name: 'm' } },
  { below: 2 * DAY, unit: HOUR, name: 'h' },
  { below: 8 * DAY, unit: DAY, name: 'd', rest: { unit: HOUR, name: 'h' } },
];
const DAYS: Telling = { below: Number.POSITIVE_INFINITY, unit: DAY, name: 'd' };

/** A length of time in a few characters, as kubectl writes ages: `45s`, `5m20s`, `26m`, `3h10m`, `4d`. Never negative. */
export function timeText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const { unit, name, rest } = TELLINGS.find(({ below }) => whole < below) ?? DAYS;
  const main = `${Math.floor(whole / unit)}${name}`;
  const over = rest === undefined ? 0 : Math.floor((whole % unit) / rest.unit);
  return over === 0 ? main : `${main}${over}${rest?.name}`;
}

/** Seconds from a moment of the API to now, never negative; undefined where there is no such moment. */
export function secondsSince(time: string | undefined, now: Date): number | undefined {
  const from = millisecondsOf(time);
  return from === undefined ? undefined : Math.max(0, Math.floor((now.getTime() - from) / 1000));
}

/** A moment of the API (RFC 3339) in milliseconds since 1970; undefined for none and for a text that is none. */
export function millisecondsOf(time: string | undefined): number | undefined {
  const found = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(found) ? undefined : found;
}
