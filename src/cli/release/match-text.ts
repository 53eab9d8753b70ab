import { isMap, type Json, type JsonMap, stringAt } from '../../json/value.ts';
import { mapsAt } from './fields.ts';

/** Kinds of conditions that compare something by its name. */
const NAMED = { headers: 'header', queryParams: 'query', cookies: 'cookie' } as const;

/**
 * One entry of `matches` in words, of a Rollout as it is written or of a directive as scripts get it:
 * `header version=canary and path /cart*`.
 */
export function matchText(match: JsonMap): string {
  const { without, expression } = match;
  const tests = [
    ...testTexts(match),
    ...(isMap(without) ? testTexts(without).map((text) => `not ${text}`) : []),
    ...(typeof expression === 'string' ? [expression] : []),
  ];
  return tests.length === 0 ? 'anything' : tests.join(' and ');
}

function testTexts(tests: JsonMap): string[] {
  const { path, method } = tests;
  const named = Object.entries(NAMED).flatMap(([field, what]) =>
    mapsAt(tests, field).map((test) => `${what} ${stringAt(test, 'name') ?? '?'}${comparison(test)}`),
  );
  return [
    ...named,
    ...(isMap(path) ? [pathText(path)] : []),
    ...(isMap(method) ? [`method${comparison(method)}`] : typeof method === 'string' ? [`method=${method}`] : []),
  ];
}

function comparison(test: Json): string {
  const sign = stringAt(test, 'type') === 'RegularExpression' ? '~' : '=';
  return `${sign}${stringAt(test, 'value') ?? ''}`;
}

function pathText(path: JsonMap): string {
  const value = stringAt(path, 'value') ?? '/';
  const type = stringAt(path, 'type') ?? 'PathPrefix';
  if (type === 'PathPrefix') return `path ${value}*`;
  return type === 'RegularExpression' ? `path ~${value}` : `path ${value}`;
}
