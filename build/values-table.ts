import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseJson } from '../src/json/text.ts';
import { at, isMap, type Json, member, stringAt } from '../src/json/value.ts';
import { readManifests } from '../src/manifest/read.ts';

const CHART = fileURLToPath(new URL('../chart/', import.meta.url));
const README = join(CHART, 'README.md');
const TABLE = /<!-- values -->\n[\s\S]*<!-- end of values -->/;

/** One value of the chart that is set as a whole: its path in values.yaml, its default, what its schema says of it. */
export type ChartValue = {
  readonly path: readonly string[];
  readonly preset: Json | undefined;
  readonly about: string;
};

/** What a chart around this one sets, not for this one to read. */
const NOT_OURS = ['global', 'enabled'];

/** All values that values.schema.json describes, in its order. */
export function chartValues(): ChartValue[] {
  const schema = parseJson(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));
  const file = join(CHART, 'values.yaml');
  const [values] = readManifests(readFileSync(file, 'utf8'), file).documents;
  return leaves(schema, []).map(({ path, about }) => ({ path, about, preset: at(values?.value, path) }));
}

/** A map whose keys are known is a group of values; everything else is one value. */
function leaves(schema: Json, path: readonly string[]): Omit<ChartValue, 'preset'>[] {
  const properties = member(schema, 'properties');
  const isGroup = isMap(properties) && !Object.hasOwn(properties, 'requests');
  if (!isGroup) return [{ path, about: stringAt(schema, 'description') ?? '' }];
  return Object.entries(properties).flatMap(([key, part]) =>
    path.length === 0 && NOT_OURS.includes(key) ? [] : leaves(part, [...path, key]),
  );
}

/** The README with the table of values as it should be. */
export function withValuesTable(readme: string): string {
  const rows = chartValues().map(
    ({ path, preset, about }) => `| \`${path.join('.')}\` | \`${JSON.stringify(preset)}\` | ${about} |`,
  );
  const table = ['| value | default | what it does |', '| --- | --- | --- |', ...rows].join('\n');
  return readme.replace(TABLE, () => `<!-- values -->\n${table}\n<!-- end of values -->`);
}

if (import.meta.main) writeFileSync(README, withValuesTable(readFileSync(README, 'utf8')));
