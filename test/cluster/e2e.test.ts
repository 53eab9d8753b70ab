import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { MODULES } from './programs.ts';
import { CHECKOUT } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-nothing-here-'));
const [path, assets, cache] = ['path', 'assets', 'cache'].map((name) => join(folder, name)) as [string, string, string];
const NOTHING = { PATH: path, SLUICE_TEST_CACHE: cache };
const SYSTEM = ['unshare', 'setpriv', 'nsenter', 'mount', 'ip', 'hostname', 'pip3'];

beforeEach(() => {
  for (const each of [path, assets, cache]) {
    rmSync(each, { recursive: true, force: true });
    mkdirSync(each);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Puts programs there that do what `text` says and nothing else. */
function install(where: string, names: readonly string[], text = 'exit 0'): void {
  for (const name of names) writeFileSync(join(where, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** All programs that are built otherwise. */
function installAssets(): Record<string, string> {
  install(
    assets,
    Object.values(MODULES).flatMap(({ packages }) => Object.keys(packages)),
  );
  return { KUBEBUILDER_ASSETS: assets };
}

/** `npm run test:e2e -- ARGUMENTS` on a machine with these variables and no others. */
function e2e(env: Record<string, string>, args: readonly string[] = []): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const script = join(CHECKOUT, 'test/cluster/e2e.ts');
    execFile(process.execPath, [script, ...args], { env }, (error, _stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stderr });
    });
  });
}

const WITHOUT_ALL =
  'the tests in a cluster (test/e2e) did not run: Go is not installed and KUBEBUILDER_ASSETS does not hold etcd, kubectl, ' +
  'kube-scheduler, kube-controller-manager, kube-apiserver, helm, argocd-verdict, flux-verdict, pilot-discovery, ' +
  'and the CustomResourceDefinitions of istio, httpRoute are not here yet: install Go (https://go.dev/dl); not installed: unshare, ' +
  'setpriv, nsenter, mount (package util-linux), ip (package iproute2), hostname (package hostname), ' +
  'pip3 (package python3-pip)\n';

test('where nothing is there the tests are skipped, with one line that says what to install', async () => {
  expect(await e2e(NOTHING)).toEqual({ code: 0, stderr: `SKIPPED: ${WITHOUT_ALL}` });
});

test('in CI that is a failure', async () => {
  expect(await e2e({ ...NOTHING, CI: 'true' })).toEqual({ code: 1, stderr: `FAILED: ${WITHOUT_ALL}` });
});

test('Go is asked for also where all programs are ready, as long as definitions have to be fetched', async () => {
  install(path, SYSTEM);
  const { stderr } = await e2e({ ...NOTHING, ...installAssets() });
  expect(stderr).toBe(
    'SKIPPED: the tests in a cluster (test/e2e) did not run: Go is not installed and the CustomResourceDefinitions of ' +
      'istio, httpRoute are not here yet: install Go (https://go.dev/dl)\n',
  );
});

test('what only the mesh needs is not asked for where no test with a mesh is chosen', async () => {
  install(
    path,
    SYSTEM.filter((name) => name !== 'pip3'),
  );
  const { stderr } = await e2e(NOTHING, ['test/e2e/cluster.test.ts']);
  expect(stderr).toMatch(
    /flux-verdict, and the CustomResourceDefinitions of istio, httpRoute .*\(https:\/\/go.dev\/dl\)\n$/,
  );
});

test('one program that is missing is named alone', async () => {
  install(path, ['go', ...SYSTEM.filter((name) => name !== 'setpriv')]);
  expect((await e2e(NOTHING)).stderr).toMatch(/did not run: not installed: setpriv \(package util-linux\)\n$/);
});

test('a machine that makes no namespaces says why, and what helps', async () => {
  install(path, ['go', ...SYSTEM], 'exit 3');
  expect((await e2e(NOTHING)).stderr).toMatch(
    /^SKIPPED: .* network namespaces cannot be made \(.*\): install util-linux .*\n$/,
  );
});

test('definitions that cannot be fetched end the run with what Go says about it', async () => {
  install(path, SYSTEM);
  install(path, ['go'], `echo '{ "Path": "istio.io/api", "Error": "no such host" }'; exit 1`);
  const { code, stderr } = await e2e({ ...NOTHING, ...installAssets() });
  expect(code).toBe(1);
  expect(stderr).toContain('CustomResourceDefinitions cannot be fetched: go mod download istio.io/api in ');
  expect(stderr).toContain('no such host');
});
