import { ANNOTATIONS, customScriptKey, ingressScriptKey, SCRIPT_CONFIG_MAP, scriptNameOf } from '../api/names.ts';
import { isMap, member, stringAt } from '../json/value.ts';
import { type Found, findScript, type Library, type ScriptRequest, type UserScripts } from '../lua/library.ts';
import { makeScript, type Script } from '../lua/script.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { type Finding, findingAt } from './finding.ts';
import { isScriptConfigMap, objectLabel } from './objects.ts';

/** The scripts of the ConfigMap that was given, where it stands, and what is wrong with it. */
export type ScriptSources = {
  readonly user: UserScripts | undefined;
  readonly configMap: Manifest | undefined;
  readonly findings: readonly Finding[];
};

/**
 * Reads the script ConfigMap among the manifests. A cluster has one, in Sluice's own namespace; of several in the input
 * the last counts, with a warning on the others.
 */
export function scriptSources(manifests: readonly Manifest[]): ScriptSources {
  const all = manifests.filter(({ value }) => isScriptConfigMap(value));
  const configMap = all.at(-1);
  if (configMap === undefined) return { user: undefined, configMap, findings: [] };
  const unused = all.slice(0, -1).map((other) => {
    const message = `is not used: ${objectLabel(configMap.value)} in ${configMap.file} comes later; keep one of them`;
    return findingAt(other, ['metadata', 'name'], message, 'warning');
  });
  const data = member(configMap.value, 'data');
  const entries = Object.entries(isMap(data) ? data : {});
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const wrong = entries
    .filter(([, text]) => typeof text !== 'string')
    .map(([key]) => findingAt(configMap, ['data', key], 'is no text; write the script as a block, "key: |"'));
  const override = stringAt(configMap.value, 'metadata', 'annotations', ANNOTATIONS.override) === 'true';
  return { user: { data: Object.fromEntries(texts), override }, configMap, findings: [...unused, ...wrong] };
}

/** The key under which the ConfigMap holds the script that is asked for. */
function scriptKey(request: ScriptRequest): string {
  return request.contract === 'ingress'
    ? ingressScriptKey(request.classType)
    : customScriptKey(request.kind, request.group);
}

/** Looks scripts up as the controller does, and tells once of each ConfigMap script that a shipped one hides. */
export function scriptFinder(library: Library, { user, configMap }: ScriptSources) {
  const shadowed = new Map<string, Finding>();
  return {
    find(request: ScriptRequest): Found | undefined {
      const found = findScript(request, library, user);
      const key = scriptKey(request);
      if (found?.shadows === 'configmap' && configMap !== undefined) {
        const message = `is not used: Sluice ships a script for ${found.script.name}, which goes first; annotate the ConfigMap with ${ANNOTATIONS.override}: "true" to use this one`;
        shadowed.set(key, findingAt(configMap, ['data', key], message, 'warning'));
      }
      return found;
    },
    /** Warnings about the scripts that were asked for until now. */
    warnings: (): Finding[] => [...shadowed.values()],
  };
}

/** What to say when there is no script for a target. */
export function noScript(request: ScriptRequest): string {
  const what = request.contract === 'ingress' ? `Ingresses of class ${request.classType}` : request.kind;
  return `there is no script for ${what}; write one into the ConfigMap ${SCRIPT_CONFIG_MAP.name} under the key ${scriptKey(request)}`;
}

/** Every script of the user's ConfigMap, whatever it is for: what a server without a cluster has to know. */
export function allUserScripts(user: UserScripts | undefined, library: Library): Script[] {
  return Object.entries(user?.data ?? {}).flatMap(([key, text]) => {
    const name = scriptNameOf(key);
    return name === undefined ? [] : [makeScript(name, text, library.modules)];
  });
}
