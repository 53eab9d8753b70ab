import { parseArgs } from 'node:util';

export const PARTS = ['latency', 'size', 'releases', 'releasing', 'crowd'] as const;
export type Part = (typeof PARTS)[number];

export type Options = {
  readonly parts: readonly Part[];
  /** Requests of each kind that count. */
  readonly rounds: number;
  /** How many Rollouts there are, in turn. */
  readonly rollouts: readonly number[];
  /** Releases of each style whose steps are timed. */
  readonly releases: number;
  /** Rollouts that release at once. */
  readonly releasing: number;
  /** Rollouts that are created at once, in one namespace. */
  readonly crowd: number;
  /** Whether Sluice runs from its sources; else from the bundle, as in its image. */
  readonly fromSources: boolean;
  readonly json: boolean;
  /** A folder for CPU profiles of Sluice's processes; they cost some speed. */
  readonly profiles: string | undefined;
};

const FLAGS = {
  only: { type: 'string' },
  rounds: { type: 'string', default: '500' },
  rollouts: { type: 'string', default: '1000,10000' },
  releases: { type: 'string', default: '20' },
  releasing: { type: 'string', default: '200' },
  crowd: { type: 'string', default: '5000' },
  sources: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  profiles: { type: 'string' },
} as const;

/**
 * Reads the arguments of the bench.
 * @throws Error with what is wrong and what there is
 */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options: FLAGS });
  const wanted = values.only?.split(',').map((part) => part.trim());
  const unknown = wanted?.filter((name) => !PARTS.some((part) => part === name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only takes parts of ${PARTS.join(',')}, not ${unknown.join(',')}`);
  return {
    parts: PARTS.filter((part) => wanted?.includes(part) ?? true),
    rounds: count('--rounds', values.rounds),
    rollouts: values.rollouts.split(',').map((text) => count('--rollouts', text)),
    releases: count('--releases', values.releases),
    releasing: count('--releasing', values.releasing),
    crowd: count('--crowd', values.crowd),
    fromSources: values.sources,
    json: values.json,
    profiles: values.profiles,
  };
}

function count(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${flag} takes whole numbers from 1, not ${text}`);
  return value;
}
