import { expect, test } from 'vitest';
import { serveSettings } from './serve-settings.ts';

test('without flags and variables there are defaults', () => {
  expect(serveSettings({}, {})).toEqual({
    server: { host: '0.0.0.0', port: 9443, plainHost: '0.0.0.0', plainPort: 8080, drainMilliseconds: 0 },
    certificateFile: 'certs/tls.crt',
    keyFile: 'certs/tls.key',
    logLevel: 'info',
    controllerUser: 'system:serviceaccount:sluice-system:sluice-controller',
    load: [],
  });
});

test('a variable wins over the default, a flag over the variable, and an empty variable is none', () => {
  const env = {
    SLUICE_PORT: '1',
    SLUICE_METRICS_PORT: '2',
    SLUICE_CERTS: '',
    SLUICE_LOG_LEVEL: 'warn',
    SLUICE_DRAIN_SECONDS: '5',
  };
  expect(serveSettings({ port: '3' }, env)).toMatchObject({
    server: { port: 3, plainPort: 2, drainMilliseconds: 5_000 },
    certificateFile: 'certs/tls.crt',
    logLevel: 'warn',
  });
});

test('everything that is wrong is told at once, each with the flag or variable that it came from', () => {
  const flags = { port: '70000', host: ' ', drain: '-1' };
  const env = { SLUICE_METRICS_PORT: 'http', SLUICE_LOG_LEVEL: 'loud' };
  expect(() => serveSettings(flags, env)).toThrow(
    [
      '--host must not be empty',
      '--port must be a whole number from 0 to 65535, not "70000"',
      'SLUICE_METRICS_PORT must be a whole number from 0 to 65535, not "http"',
      '--drain must be a whole number from 0 to 3600, not "-1"',
      'SLUICE_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
    ].join('; '),
  );
});

test('the two ports differ, unless the system chooses both', () => {
  expect(() => serveSettings({ port: '1', metricsPort: '1' }, {})).toThrow('--port and --metrics-port must differ');
  expect(serveSettings({ port: '0', metricsPort: '0' }, {}).server).toMatchObject({ port: 0, plainPort: 0 });
});
