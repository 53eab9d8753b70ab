import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { makeScript, type Script } from '../lua/script.ts';

/** Label of ConfigMaps that hold a pinned script; its value is `"true"`. */
export const PINNED_LABEL = 'sluice.dev/script';

const NAME_PREFIX = 'sluice-script-';
const MODULE_PREFIX = 'module.';

/** What a ConfigMap's data may hold together (its own limit is 1 MiB with everything around), in UTF-8 bytes. */
export const PINNED_LIMIT = 1_000_000;

/** A ConfigMap that claims to be a pinned script and is not what its name says. It must not be run. */
export class InvalidPinnedScript extends Error {
  override readonly name = 'InvalidPinnedScript';
}

/** The name of the ConfigMap of the script with this content hash (32 hex digits). */
export function pinnedName(hash: string): string {
  return NAME_PREFIX + hash;
}

/** The content hash in a ConfigMap's name; undefined for any other name. */
export function pinnedHash(configMapName: string): string | undefined {
  return /^sluice-script-([0-9a-f]{32})$/.exec(configMapName)?.[1];
}

/** How many bytes a pinned script takes in its ConfigMap. */
export function pinnedSize({ name, text, modules }: Script): number {
  return [name, text, ...Object.entries(modules).flat()].reduce((sum, part) => sum + Buffer.byteLength(part), 0);
}

/**
 * The immutable ConfigMap of a script. `data` is plain text for whoever looks at it: `name` as errors show it, `text`,
 * and `module.<name>` for each module that the text requires.
 */
export function pinnedScript(script: Script, namespace: string): JsonMap {
  const modules = Object.entries(script.modules).map(([name, text]) => [MODULE_PREFIX + name, text]);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: pinnedName(script.hash), namespace, labels: { [PINNED_LABEL]: 'true' } },
    immutable: true,
    data: { name: script.name, text: script.text, ...Object.fromEntries(modules) },
  };
}

/**
 * Reads a pinned script. Its text and modules are hashed again: whatever somebody may have stored under the name, only
 * the content that the name promises is ever given out. (`name` is no part of the hash: it decides nothing.)
 *
 * @throws InvalidPinnedScript
 */
export function readPinned(configMap: Json): Script {
  const configMapName = stringAt(configMap, 'metadata', 'name') ?? '';
  const hash = pinnedHash(configMapName);
  const refuse = (reason: string): never => {
    throw new InvalidPinnedScript(`ConfigMap ${configMapName} is no pinned script: ${reason}`);
  };
  if (hash === undefined) return refuse('its name holds no hash');
  const data = member(configMap, 'data');
  const [name, text] = [stringAt(data, 'name'), stringAt(data, 'text')];
  if (name === undefined || text === undefined) return refuse('it has no name or no text');
  const script = makeScript(name, text, modulesOf(data));
  if (script.hash !== hash) return refuse('its content is not what its name says; delete it, Sluice makes it again');
  return script;
}

function modulesOf(data: Json | undefined): ReadonlyMap<string, string> {
  const entries = Object.entries(isMap(data) ? data : {});
  return new Map(
    entries.flatMap(([key, text]): [string, string][] =>
      key.startsWith(MODULE_PREFIX) && typeof text === 'string' ? [[key.slice(MODULE_PREFIX.length), text]] : [],
    ),
  );
}
