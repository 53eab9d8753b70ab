import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import type { Condition, Operand, Test } from './condition.ts';
import { parseExpression } from './expression.ts';
import { ConditionError, countTerms, MAX_TERMS, type Match, toTerms } from './terms.ts';
import { ExpressionError } from './tokens.ts';
import type { FieldPath, Violation } from './violation.ts';

/**
 * The `matches` of a step as the list that a script gets in `obj.matches`: an OR of at most 64 AND groups, in the order
 * given. The fields of one entry and its `expression` all have to hold; an expression may make several groups of its
 * entry. Defaults of the schema are filled in (`Exact`, `PathPrefix`, `/`).
 *
 * @param matches `steps[].matches` of either version; absent means none
 * @param path where it stands, for the violations
 * @returns the groups, and what is wrong (then the groups are not to be used): an entry without any condition, a
 *   mistake in an expression, conditions that no request meets or that no gateway could take, too many groups
 */
export function conditionTerms(
  matches: Json | undefined,
  path: FieldPath = [],
): { matches: Match[]; violations: Violation[] } {
  const violations: Violation[] = [];
  const conditions = entriesOf(matches).flatMap((entry, index) => {
    const found = entryCondition(entry, [...path, index]);
    if (!('message' in found)) return [{ condition: found, path: blame(entry, [...path, index]) }];
    violations.push(found);
    return [];
  });
  const total = conditions.reduce((sum, { condition }) => sum + countTerms(condition), 0);
  if (total > MAX_TERMS) {
    const message = `makes ${total} alternatives once its expressions are written out; at most ${MAX_TERMS} are possible: use a regular expression, or fewer "or" and "in" inside "and"`;
    return { matches: [], violations: [...violations, { path, message }] };
  }
  const terms = conditions.flatMap(({ condition, path: place }) =>
    attempt(() => toTerms(condition), place, violations),
  );
  return { matches: terms, violations };
}

function entriesOf(matches: Json | undefined): readonly Json[] {
  return isList(matches) ? matches : [];
}

/** The field that a mistake in the meaning of an entry is told at. */
function blame(entry: Json, path: FieldPath): FieldPath {
  return stringAt(entry, 'expression') === undefined ? path : [...path, 'expression'];
}

function attempt(terms: () => Match[], path: FieldPath, violations: Violation[]): Match[] {
  try {
    return terms();
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    violations.push({ path, message: error.message });
    return [];
  }
}

function entryCondition(entry: Json, path: FieldPath): Condition | Violation {
  const parts: Condition[] = isMap(entry) ? fieldTests(entry) : [];
  const expression = stringAt(entry, 'expression');
  if (expression !== undefined) {
    try {
      parts.push(parseExpression(expression));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      return { path: [...path, 'expression'], message: error.message };
    }
  }
  if (parts.length > 0) return { and: parts };
  return {
    path,
    message:
      'has no condition and would take every request; write headers, queryParams, cookies, path, method or expression',
  };
}

const LISTS = [
  ['headers', 'header'],
  ['queryParams', 'query'],
  ['cookies', 'cookie'],
] as const;

const OPERATORS: Readonly<Record<string, Test['operator']>> = {
  Exact: '==',
  PathPrefix: 'prefix',
  RegularExpression: 'regex',
};

/** The conditions that the fields of an entry say; fields of the wrong type are the schema's to tell. */
function fieldTests(entry: JsonMap): Test[] {
  const named = LISTS.flatMap(([field, on]) =>
    entriesOf(member(entry, field)).flatMap((item) => {
      const name = stringAt(item, 'name');
      return name === undefined ? [] : test({ on, name }, item, 'Exact');
    }),
  );
  const path = member(entry, 'path');
  const method = stringAt(entry, 'method');
  return [
    ...(isMap(path) ? test({ on: 'path' }, { value: '/', ...path }, 'PathPrefix') : []),
    ...named,
    ...(method === undefined ? [] : [{ test: { on: 'method' }, operator: '==', values: [method] } as const]),
  ];
}

function test(operand: Operand, item: Json, defaultType: string): Test[] {
  const value = stringAt(item, 'value');
  const operator = OPERATORS[stringAt(item, 'type') ?? defaultType];
  return value === undefined || operator === undefined ? [] : [{ test: operand, operator, values: [value] }];
}
