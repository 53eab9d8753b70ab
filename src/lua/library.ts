import { accessSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeScript, type Script } from './script.ts';

/**
 * The script that an object needs. `custom`: one object of a kind named in `customNetworkRefs` (or an HTTPRoute), `group`
 * being its apiVersion before the slash, `v1` for the core group. `ingress`: the annotations of a canary Ingress,
 * `classType` as in the Rollout, empty for nginx.
 */
export type ScriptRequest =
  | { readonly contract: 'custom'; readonly group: string; readonly kind: string }
  | { readonly contract: 'ingress'; readonly classType: string };

/** The shipped scripts: keys are `networking.istio.io/VirtualService` and `ingress/nginx`; modules by their name. */
export type Library = {
  readonly scripts: ReadonlyMap<string, Script>;
  readonly modules: ReadonlyMap<string, string>;
};

/**
 * The user's scripts: `data` of the ConfigMap `kruise-rollout-configuration`; `override` is true when it carries the
 * annotation `sluice.dev/override: "true"`.
 */
export type UserScripts = { readonly data: Readonly<Record<string, string>>; readonly override: boolean };

/** A script and where it came from; `shadows` names the other place that also has one, which is therefore not used. */
export type Found = {
  readonly script: Script;
  readonly from: 'bundled' | 'configmap';
  readonly shadows?: 'bundled' | 'configmap';
};

const SHIPPED = new URL('../../lua-scripts/', import.meta.url);

/**
 * Reads a script library: `<group>/<Kind>/trafficRouting.lua`, `ingress/<class>.lua`, `modules/<name>.lua`. Without a
 * directory, the scripts that are part of this package.
 * @throws the file system's own error for a directory or file that cannot be read.
 */
export function loadLibrary(directory: string | URL = SHIPPED): Library {
  const root = directory instanceof URL ? fileURLToPath(directory) : directory;
  accessSync(root);
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const modules = new Map(list(root, 'modules/*.lua').map((path) => [baseName(path), read(path)]));
  const custom = list(root, '*/*/trafficRouting.lua').map((path) => [dirname(path), path] as const);
  const ingress = list(root, 'ingress/*.lua').map((path) => [`ingress/${baseName(path)}`, path] as const);
  const scripts = new Map([...custom, ...ingress].map(([name, path]) => [name, makeScript(name, read(path), modules)]));
  return { scripts, modules };
}

function list(root: string, pattern: string): string[] {
  return globSync(pattern, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -'.lua'.length);
}

/**
 * Looks a script up. Two orders, both given by the API that we are compatible with: a shipped script wins for custom
 * kinds, the ConfigMap wins for Ingress class types. `override` makes the ConfigMap win for both. Undefined when
 * neither has one.
 */
export function findScript(request: ScriptRequest, library: Library, user?: UserScripts): Found | undefined {
  const { name, key } = keysOf(request);
  const bundled = library.scripts.get(name);
  const text = user !== undefined && Object.hasOwn(user.data, key) ? user.data[key] : undefined;
  if (text === undefined) return bundled && { script: bundled, from: 'bundled' };
  const userWins = request.contract === 'ingress' || user?.override === true;
  if (bundled !== undefined && !userWins) return { script: bundled, from: 'bundled', shadows: 'configmap' };
  const script = makeScript(name, text, library.modules);
  return { script, from: 'configmap', ...(bundled === undefined ? {} : { shadows: 'bundled' }) };
}

/** A script's name in the library and its key in the ConfigMap. */
function keysOf(request: ScriptRequest): { name: string; key: string } {
  if (request.contract === 'ingress') {
    const classType = request.classType === '' ? 'nginx' : request.classType;
    return { name: `ingress/${classType}`, key: `lua.traffic.routing.ingress.${classType}` };
  }
  const group = request.group === '' ? 'v1' : request.group;
  return { name: `${group}/${request.kind}`, key: `lua.traffic.routing.${request.kind}.${group}` };
}
