import { expect, test } from 'vitest';
import { chartValues, withValuesTable } from '../../build/values-table.ts';
import { parseJson } from '../../src/json/text.ts';
import { at, isMap, type Json, member, stringAt } from '../../src/json/value.ts';
import { fileText, packageVersion, yamlFile } from './chart-files.ts';

const values = yamlFile('chart/values.yaml');
const schema = parseJson(fileText('chart/values.schema.json'));

/** The paths of a chart's values down to what the schema describes as one value. */
const described = new Set(chartValues().map(({ path }) => path.join('.')));

function presets(value: Json, path: string): string[] {
  if (described.has(path) || !isMap(value)) return [path];
  return Object.entries(value).flatMap(([key, part]) => presets(part, path === '' ? key : `${path}.${key}`));
}

test('every value is in the schema, and everything in the schema has a default', () => {
  expect(presets(values, '').sort()).toEqual([...described].sort());
});

test('every value says what it does', () => {
  expect(chartValues().filter(({ about }) => !about.endsWith('.'))).toEqual([]);
});

test('a key that is not known is refused at every level where keys are known', () => {
  const open = mapsOf(schema, '').filter(([, part]) => member(part, 'additionalProperties') === undefined);
  // What Kubernetes checks by itself, and what Helm sets for a chart in another.
  expect(open.map(([path]) => path)).toEqual([
    'global',
    'webhook.resources.requests',
    'webhook.resources.limits',
    'webhook.affinity',
    'controller.resources.requests',
    'controller.resources.limits',
    'controller.affinity',
  ]);
});

function mapsOf(part: Json, path: string): [string, Json][] {
  const properties = member(part, 'properties');
  const inner = isMap(properties)
    ? Object.entries(properties).flatMap(([key, next]) => mapsOf(next, path === '' ? key : `${path}.${key}`))
    : [];
  return stringAt(part, 'type') === 'object' ? [[path, part], ...inner] : inner;
}

test('the table of the README is the one that the values make', () => {
  const readme = fileText('chart/README.md');
  expect(withValuesTable(readme)).toBe(readme);
});

test('the chart is of the version of the package', () => {
  const chart = yamlFile('chart/Chart.yaml');
  expect([at(chart, ['appVersion']), at(chart, ['version'])]).toEqual([packageVersion(), packageVersion()]);
});
