import type { LogLevel } from '../server/log.ts';
import { UsageError } from './usage-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One setting: the flag that gives it (none for those that only a pod's environment has), its variable, its default. */
export type Setting = {
  readonly flag?: string;
  readonly given?: string | undefined;
  readonly variable: string;
  readonly preset: string;
};

const LOG_LEVELS: readonly string[] = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
] satisfies LogLevel[];

const SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

/** Reads settings of a process: a flag wins over its variable, an empty variable counts as none. Collects what is wrong. */
export class SettingsReader {
  readonly #env: Environment;
  readonly #wrong: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  text(setting: Setting): string {
    const [from, value] = this.#find(setting);
    if (value.trim() === '') this.wrong(`${from} must not be empty`);
    return value;
  }

  /** Undefined where neither is given; `preset` is not looked at. */
  optional(setting: Omit<Setting, 'preset'>): string | undefined {
    const [, value] = this.#find({ ...setting, preset: '' });
    return value === '' ? undefined : value;
  }

  /** A whole number from 0 to `most`. */
  number(setting: Setting, most: number): number {
    const [from, text] = this.#find(setting);
    if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
    this.wrong(`${from} must be a whole number from 0 to ${most}, not "${text}"`);
    return 0;
  }

  oneOf<const T extends string>(setting: Setting, choices: readonly T[]): T {
    const [from, text] = this.#find(setting);
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    this.wrong(`${from} must be one of ${choices.join(', ')}, not "${text}"`);
    return choices[0] as T;
  }

  logLevel(given: string | undefined): LogLevel {
    const setting = { flag: '--log-level', given, variable: 'SLUICE_LOG_LEVEL', preset: 'info' };
    return this.oneOf(setting, LOG_LEVELS as readonly LogLevel[]);
  }

  /** A length of time as Go writes it (`8760h`, `1h30m`, `90s`) of at least so many seconds, in milliseconds. */
  duration(setting: Setting, leastSeconds = 1): number {
    const [from, text] = this.#find(setting);
    const parts = /^(?:\d{1,9}[hms])+$/.test(text) ? [...text.matchAll(/(\d+)([hms])/g)] : [];
    const seconds = parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (SECONDS[unit] ?? 1), 0);
    if (seconds === 0) this.wrong(`${from} must be a length of time such as 8760h or 1h30m, not "${text}"`);
    else if (seconds < leastSeconds) this.wrong(`${from} must be ${leastSeconds}s at least, not "${text}"`);
    return 1000 * seconds;
  }

  /** Names separated by commas. */
  list(setting: Omit<Setting, 'preset'>): readonly string[] {
    const text = this.optional(setting) ?? '';
    return text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
  }

  wrong(message: string): void {
    this.#wrong.push(message);
  }

  /** @throws UsageError that lists everything that is wrong, each with the flag or variable it came from */
  end(): void {
    if (this.#wrong.length > 0) throw new UsageError(this.#wrong.join('; '));
  }

  #find({ flag, given, variable, preset }: Setting): [string, string] {
    if (given !== undefined) return [flag ?? variable, given];
    const fromEnv = this.#env[variable];
    return fromEnv === undefined || fromEnv === '' ? [flag ?? variable, preset] : [variable, fromEnv];
  }
}
