import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseJson } from '../../src/json/text.ts';
import { type Json, stringAt } from '../../src/json/value.ts';
import { readManifests } from '../../src/manifest/read.ts';

/** The root of the repository, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The text of a file of the repository. */
export function fileText(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}

/** The one document of a YAML file of the repository. */
export function yamlFile(path: string): Json {
  const [document] = readManifests(fileText(path), path).documents;
  if (document === undefined) throw new Error(`${path} is empty`);
  return document.value;
}

/** The version that package.json says. */
export function packageVersion(): string {
  return stringAt(parseJson(fileText('package.json')), 'version') ?? '';
}
