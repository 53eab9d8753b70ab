import { DEFAULT_LIMITS, type Limits } from './limits.ts';

/** Where and how a server listens. Port 0 lets the system choose one. */
export type Settings = {
  readonly host: string;
  readonly port: number;
  readonly plainHost: string;
  readonly plainPort: number;
  readonly limits: Limits;
  /**
   * Between the signal to stop and the end of listening, in milliseconds. In a cluster, API servers go on sending
   * until the endpoint's removal has reached them; alone on a machine 0 is right.
   */
  readonly drainMilliseconds: number;
  /** The most that running requests may take after that, in milliseconds; then they are cut off. */
  readonly deadlineMilliseconds: number;
};

const DEFAULTS: Settings = {
  host: '0.0.0.0',
  port: 9443,
  plainHost: '0.0.0.0',
  plainPort: 8080,
  limits: DEFAULT_LIMITS,
  drainMilliseconds: 0,
  // A webhook is waited for 30 s at most (`timeoutSeconds`), and a pod is killed 30 s after its signal.
  deadlineMilliseconds: 20_000,
};

export type GivenSettings = Partial<Omit<Settings, 'limits'>> & { readonly limits?: Partial<Limits> };

/**
 * Fills in defaults and checks what was given.
 * @throws one Error that lists everything that is wrong.
 */
export function checkSettings(given: GivenSettings): Settings {
  const settings: Settings = { ...DEFAULTS, ...given, limits: { ...DEFAULT_LIMITS, ...given.limits } };
  const wrong = [
    ...ports(settings),
    ...hosts(settings),
    ...wholeNumbers({ ...settings.limits }, 1),
    ...wholeNumbers(
      { drainMilliseconds: settings.drainMilliseconds, deadlineMilliseconds: settings.deadlineMilliseconds },
      0,
    ),
  ];
  if (wrong.length > 0) throw new Error(`wrong settings: ${wrong.join('; ')}`);
  return settings;
}

function ports({ port, plainPort }: Settings): string[] {
  const wrong = Object.entries({ port, plainPort })
    .filter(([, value]) => !Number.isInteger(value) || value < 0 || value > 65_535)
    .map(([name, value]) => `${name} must be 0 to 65535, not ${value}`);
  if (port === plainPort && port !== 0) wrong.push(`port and plainPort must differ, both are ${port}`);
  return wrong;
}

function hosts({ host, plainHost }: Settings): string[] {
  return Object.entries({ host, plainHost })
    .filter(([, value]) => value.trim() === '')
    .map(([name]) => `${name} must be an address or a name, such as 0.0.0.0`);
}

function wholeNumbers(values: Readonly<Record<string, number>>, least: number): string[] {
  return Object.entries(values)
    .filter(([, value]) => !Number.isSafeInteger(value) || value < least)
    .map(([name, value]) => `${name} must be a whole number of at least ${least}, not ${value}`);
}
