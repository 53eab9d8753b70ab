import { join } from 'node:path';
import type { LogLevel } from '../server/log.ts';
import type { GivenSettings } from '../server/settings.ts';
import { CERTIFICATE_FILES } from '../tls/folder.ts';
import { UsageError } from './usage-error.ts';

/** The flags of `sluice serve` as they were given. */
export type ServeFlags = {
  readonly host?: string;
  readonly port?: string;
  readonly metricsHost?: string;
  readonly metricsPort?: string;
  readonly certs?: string;
  readonly logLevel?: string;
  readonly controllerUser?: string;
  readonly drain?: string;
  readonly load?: readonly string[];
};

/** Everything that `sluice serve` can be told, checked. */
export type ServeSettings = {
  readonly server: GivenSettings;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly logLevel: LogLevel;
  readonly controllerUser: string;
  readonly load: readonly string[];
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

/**
 * Reads flags and environment, the only place where `serve` does; a flag wins, an empty variable counts as none.
 * @throws UsageError that lists everything that is wrong, each with the flag or variable it came from.
 */
export function serveSettings(flags: ServeFlags, env: Readonly<Record<string, string | undefined>>): ServeSettings {
  const wrong: string[] = [];
  const given = (flag: string, value: string | undefined, variable: string, preset: string): [string, string] => {
    if (value !== undefined) return [flag, value];
    const fromEnv = env[variable];
    return fromEnv === undefined || fromEnv === '' ? [flag, preset] : [variable, fromEnv];
  };
  const number = ([from, text]: [string, string], most: number): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
    wrong.push(`${from} must be a whole number from 0 to ${most}, not "${text}"`);
    return 0;
  };
  const text = ([from, value]: [string, string]): string => {
    if (value.trim() === '') wrong.push(`${from} must not be empty`);
    return value;
  };
  const level = ([from, value]: [string, string]): LogLevel => {
    if (isLogLevel(value)) return value;
    wrong.push(`${from} must be one of ${LOG_LEVELS.join(', ')}, not "${value}"`);
    return 'info';
  };
  const folder = text(given('--certs', flags.certs, 'SLUICE_CERTS', 'certs'));
  const settings: ServeSettings = {
    server: {
      host: text(given('--host', flags.host, 'SLUICE_HOST', '0.0.0.0')),
      port: number(given('--port', flags.port, 'SLUICE_PORT', '9443'), 65_535),
      plainHost: text(given('--metrics-host', flags.metricsHost, 'SLUICE_METRICS_HOST', '0.0.0.0')),
      plainPort: number(given('--metrics-port', flags.metricsPort, 'SLUICE_METRICS_PORT', '8080'), 65_535),
      drainMilliseconds: 1_000 * number(given('--drain', flags.drain, 'SLUICE_DRAIN_SECONDS', '0'), 3_600),
    },
    certificateFile: join(folder, CERTIFICATE_FILES.certificate),
    keyFile: join(folder, CERTIFICATE_FILES.key),
    logLevel: level(given('--log-level', flags.logLevel, 'SLUICE_LOG_LEVEL', 'info')),
    controllerUser: text(given('--controller-user', flags.controllerUser, 'SLUICE_CONTROLLER_USER', CONTROLLER_USER)),
    load: flags.load ?? [],
  };
  const { port, plainPort } = settings.server;
  if (port === plainPort && port !== 0) wrong.push(`--port and --metrics-port must differ, both are ${port}`);
  if (wrong.length > 0) throw new UsageError(wrong.join('; '));
  return settings;
}

/** The controller's service account, as the chart names it. */
const CONTROLLER_USER = 'system:serviceaccount:sluice-system:sluice-controller';

function isLogLevel(value: string): value is LogLevel {
  return LOG_LEVELS.includes(value);
}
