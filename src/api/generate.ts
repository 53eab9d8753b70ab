/**
 * Makes `generated.ts` (types) and `schemas.json` (schemas for offline checks) from the CRD files, which are the single
 * source of the API. Run by `npm run generate`; never imported by production code.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';
import { TypeNames } from './typenames.ts';

const CRDS = fileURLToPath(new URL('../../chart/files/crds/', import.meta.url));

export type SchemaOfVersion = {
  readonly key: string;
  readonly kind: string;
  readonly version: string;
  readonly schema: JsonMap;
};

/** The OpenAPI schemas of all CRD files, newest version of a kind first, as they are written there. */
export function readCrds(): SchemaOfVersion[] {
  return globSync('*.yaml', { cwd: CRDS })
    .sort()
    .flatMap((file) => {
      const { documents, errors } = readManifests(readFileSync(CRDS + file, 'utf8'), file);
      if (errors.length > 0) throw new Error(`${file}: ${JSON.stringify(errors)}`);
      return documents.flatMap(({ value }) => versionsOf(value));
    });
}

function versionsOf(crd: Json): SchemaOfVersion[] {
  const spec = member(crd, 'spec');
  const kind = stringAt(spec, 'names', 'kind') ?? '';
  const versions = member(spec, 'versions');
  if (!isList(versions)) throw new Error(`the CRD of ${kind} has no versions`);
  return versions
    .map((entry) => {
      const version = stringAt(entry, 'name') ?? '';
      const schema = member(member(entry, 'schema'), 'openAPIV3Schema');
      if (!isMap(schema)) throw new Error(`${kind} ${version} has no schema`);
      return { key: `${stringAt(spec, 'group')}/${version}/${kind}`, kind, version, schema };
    })
    .sort((a, b) => (a.version < b.version ? 1 : -1));
}

/** The text of `schemas.json`: the schemas by `apiVersion/kind`, without what only people read. */
export function schemasText(crds: readonly SchemaOfVersion[]): string {
  const schemas = Object.fromEntries(crds.map(({ key, schema }) => [key, withoutDescriptions(schema, false)]));
  return `${JSON.stringify(schemas)}\n`;
}

function withoutDescriptions(value: Json, areProperties: boolean): Json {
  if (isList(value)) return value.map((item) => withoutDescriptions(item, false));
  if (!isMap(value)) return value;
  const kept = Object.entries(value).filter(([key]) => areProperties || key !== 'description');
  return Object.fromEntries(
    kept.map(([key, inner]) => [key, withoutDescriptions(inner, !areProperties && key === 'properties')]),
  );
}

/** The text of `generated.ts`: one type for each kind and version, and one for each object that they hold. */
export function typesText(crds: readonly SchemaOfVersion[]): Promise<string> {
  const names = new TypeNames();
  const properties = Object.fromEntries(
    crds.map(({ kind, version, schema }) => [`${kind}/${version}`, names.root(kind, version, schema)]),
  );
  const root: JSONSchema = {
    type: 'object',
    additionalProperties: false,
    description: 'Every kind of the API by name and version.',
    required: Object.keys(properties),
    properties: properties as NonNullable<JSONSchema['properties']>,
    definitions: names.definitions as NonNullable<JSONSchema['definitions']>,
  };
  return compile(root, 'Kinds', {
    additionalProperties: false,
    bannerComment: '// Made from chart/files/crds by `npm run generate`. Do not edit.',
    format: true,
    style: { singleQuote: true, printWidth: 120 },
  });
}

if (import.meta.main) {
  const crds = readCrds();
  writeFileSync(new URL('./schemas.json', import.meta.url), schemasText(crds));
  writeFileSync(new URL('./generated.ts', import.meta.url), await typesText(crds));
}
