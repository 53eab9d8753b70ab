import { isList, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import type { RuleKind } from './kinds.ts';

const OPERATIONS = ['CREATE', 'UPDATE'] as const;

/**
 * The rules of an entry with further kinds, one rule for each group, version and scope. A kind that the rules have already
 * is matched in the version that is given here and in no other: a kind that is matched in two versions would be
 * reviewed, and its original saved, in two shapes.
 *
 * @param rules `rules` of a webhook, each of one group and one version, as the templates have them
 */
export function withKinds(rules: Json, kinds: readonly RuleKind[]): JsonMap[] {
  if (kinds.length === 0 && isList(rules)) return rules.filter(isMap);
  const given = new Map(kinds.map((kind) => [identity(kind), kind]));
  const known = kindsOf(rules).map((kind) => {
    const other = given.get(identity(kind));
    given.delete(identity(kind));
    return other ?? kind;
  });
  return grouped([...known, ...[...given.values()].sort(byName)]);
}

/** The kinds that the rules of a stored entry name beyond those of its template, each in the version it is matched in. */
export function furtherKinds(stored: Json, template: Json): RuleKind[] {
  const known = new Set(kindsOf(template).map((kind) => JSON.stringify(kind)));
  return kindsOf(stored).filter((kind) => !known.has(JSON.stringify(kind)));
}

function identity({ group, plural }: RuleKind): string {
  return `${plural}.${group}`;
}

function byName(a: RuleKind, b: RuleKind): number {
  const [left, right] = [`${a.group}/${a.version}/${a.plural}`, `${b.group}/${b.version}/${b.plural}`];
  return left < right ? -1 : Number(left > right);
}

function kindsOf(rules: Json): RuleKind[] {
  if (!isList(rules)) return [];
  return rules.flatMap((rule) => {
    const group = stringAt(rule, 'apiGroups', 0) ?? '';
    const version = stringAt(rule, 'apiVersions', 0) ?? '';
    const scope = stringAt(rule, 'scope') === 'Cluster' ? 'Cluster' : 'Namespaced';
    const plurals = isMap(rule) ? rule['resources'] : undefined;
    return isList(plurals) ? plurals.map((plural) => ({ group, version, plural: String(plural), scope }) as const) : [];
  });
}

function grouped(kinds: readonly RuleKind[]): JsonMap[] {
  const rules = new Map<string, { kind: RuleKind; resources: string[] }>();
  for (const kind of kinds) {
    const key = `${kind.group}/${kind.version}/${kind.scope}`;
    const rule = rules.get(key);
    if (rule === undefined) rules.set(key, { kind, resources: [kind.plural] });
    else rule.resources.push(kind.plural);
  }
  return [...rules.values()].map(({ kind: { group, version, scope }, resources }) => ({
    apiGroups: [group],
    apiVersions: [version],
    resources,
    operations: OPERATIONS,
    scope,
  }));
}
