import { join } from 'node:path';
import type { LogLevel } from '../server/log.ts';
import type { GivenSettings } from '../server/settings.ts';
import { CERTIFICATE_FILES } from '../tls/folder.ts';
import { type ListenFlags, webhookPortSettings } from './listen-settings.ts';
import { type Environment, SettingsReader } from './settings-reader.ts';

/** The flags of `sluice serve` as they were given. */
export type ServeFlags = ListenFlags & {
  readonly certs?: string;
  readonly logLevel?: string;
  readonly controllerUser?: string;
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

/**
 * Reads flags and environment, the only place where `serve` does; a flag wins, an empty variable counts as none.
 * @throws UsageError that lists everything that is wrong, each with the flag or variable it came from.
 */
export function serveSettings(flags: ServeFlags, env: Environment): ServeSettings {
  const reader = new SettingsReader(env);
  const server = webhookPortSettings(reader, flags);
  const folder = reader.text({ flag: '--certs', given: flags.certs, variable: 'SLUICE_CERTS', preset: 'certs' });
  const settings: ServeSettings = {
    server,
    certificateFile: join(folder, CERTIFICATE_FILES.certificate),
    keyFile: join(folder, CERTIFICATE_FILES.key),
    logLevel: reader.logLevel(flags.logLevel),
    controllerUser: reader.text({
      flag: '--controller-user',
      given: flags.controllerUser,
      variable: 'SLUICE_CONTROLLER_USER',
      preset: CONTROLLER_USER,
    }),
    load: flags.load ?? [],
  };
  reader.end();
  return settings;
}

/** The controller's service account, as the chart names it. */
const CONTROLLER_USER = 'system:serviceaccount:sluice-system:sluice-controller';
