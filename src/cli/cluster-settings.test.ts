import { expect, test } from 'vitest';
import { controllerSettings, webhookSettings } from './cluster-settings.ts';

test('both halves have the defaults of the chart, and the controller is named after the namespace', () => {
  expect(webhookSettings({ namespace: 'release' }, {})).toEqual({
    kubeconfig: undefined,
    namespace: 'release',
    certificateFiles: undefined,
    failurePolicies: { gateways: 'Fail', workloads: 'Fail', pods: 'Ignore' },
    logLevel: 'info',
    server: { host: '0.0.0.0', port: 9443, plainHost: '0.0.0.0', plainPort: 8080, drainMilliseconds: 0 },
    controllerUser: 'system:serviceaccount:release:sluice-controller',
  });
  expect(controllerSettings({}, { SLUICE_POD_NAME: 'sluice-controller-1' })).toEqual({
    kubeconfig: undefined,
    namespace: 'sluice-system',
    certificateFiles: undefined,
    failurePolicies: { gateways: 'Fail', workloads: 'Fail', pods: 'Ignore' },
    logLevel: 'info',
    plain: { plainHost: '0.0.0.0', plainPort: 8080 },
    podName: 'sluice-controller-1',
    excludedNamespaces: [],
    certificateLifetime: 365 * 86_400_000,
  });
});

test('a folder of certificates means that somebody else keeps them', () => {
  expect(webhookSettings({}, { SLUICE_CERTS: '/certs' }).certificateFiles).toEqual({
    certificateFile: '/certs/tls.crt',
    keyFile: '/certs/tls.key',
    authorityFile: '/certs/ca.crt',
  });
});

test.each([
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['8760h', 31_536_000_000],
])('a lifetime is written as Go writes it: %s', (text, milliseconds) => {
  expect(controllerSettings({}, { SLUICE_CERTIFICATE_LIFETIME: text }).certificateLifetime).toBe(milliseconds);
});

test.each(['', ' , ', 'a,b', ' a , b,'])('names are separated by commas: %j', (text) => {
  const { excludedNamespaces } = controllerSettings({}, { SLUICE_EXCLUDED_NAMESPACES: text });
  expect(excludedNamespaces).toEqual(text.includes('a') ? ['a', 'b'] : []);
});

test('certificates live long enough to be renewed', () => {
  expect(controllerSettings({}, { SLUICE_CERTIFICATE_LIFETIME: '1m30s' }).certificateLifetime).toBe(90_000);
  expect(() => controllerSettings({}, { SLUICE_CERTIFICATE_LIFETIME: '89s' })).toThrow(
    'SLUICE_CERTIFICATE_LIFETIME must be 90s at least, not "89s"',
  );
});

test('everything that is wrong is told at once, each with the flag or variable that it came from', () => {
  const env = {
    SLUICE_FAILURE_POLICY_GATEWAYS: 'fail',
    SLUICE_CERTIFICATE_LIFETIME: '0h',
    SLUICE_LOG_LEVEL: 'loud',
  };
  expect(() => controllerSettings({ namespace: ' ', metricsPort: 'x' }, env)).toThrow(
    [
      '--namespace must not be empty',
      'SLUICE_FAILURE_POLICY_GATEWAYS must be one of Fail, Ignore, not "fail"',
      'SLUICE_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
      '--metrics-port must be a whole number from 0 to 65535, not "x"',
      'SLUICE_CERTIFICATE_LIFETIME must be a length of time such as 8760h or 1h30m, not "0h"',
    ].join('; '),
  );
});
