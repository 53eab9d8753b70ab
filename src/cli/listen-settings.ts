import type { SettingsReader } from './settings-reader.ts';

/** The flags that say where a process listens. */
export type ListenFlags = {
  readonly host?: string;
  readonly port?: string;
  readonly metricsHost?: string;
  readonly metricsPort?: string;
  readonly drain?: string;
};

const LARGEST_PORT = 65_535;

/** Where the plain port of a process listens. */
export function plainPortSettings(
  reader: SettingsReader,
  flags: ListenFlags,
): { plainHost: string; plainPort: number } {
  return {
    plainHost: reader.text({
      flag: '--metrics-host',
      given: flags.metricsHost,
      variable: 'SLUICE_METRICS_HOST',
      preset: '0.0.0.0',
    }),
    plainPort: reader.number(
      { flag: '--metrics-port', given: flags.metricsPort, variable: 'SLUICE_METRICS_PORT', preset: '8080' },
      LARGEST_PORT,
    ),
  };
}

/** Where the webhook listens, on both ports, and how long it serves on after the signal to stop. */
export function webhookPortSettings(
  reader: SettingsReader,
  flags: ListenFlags,
): { host: string; port: number; plainHost: string; plainPort: number; drainMilliseconds: number } {
  const host = { flag: '--host', given: flags.host, variable: 'SLUICE_HOST', preset: '0.0.0.0' };
  const port = { flag: '--port', given: flags.port, variable: 'SLUICE_PORT', preset: '9443' };
  const drain = { flag: '--drain', given: flags.drain, variable: 'SLUICE_DRAIN_SECONDS', preset: '0' };
  const settings = {
    host: reader.text(host),
    port: reader.number(port, LARGEST_PORT),
    ...plainPortSettings(reader, flags),
    drainMilliseconds: 1_000 * reader.number(drain, 3_600),
  };
  if (settings.port === settings.plainPort && settings.port !== 0) {
    reader.wrong(`--port and --metrics-port must differ, both are ${settings.port}`);
  }
  return settings;
}
