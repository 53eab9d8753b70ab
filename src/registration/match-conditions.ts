import { controllerUser, DEFAULT_NAMESPACE } from '../api/names.ts';
import { isList, type Json, type JsonMap, stringAt } from '../json/value.ts';

/**
 * The matchConditions of an entry as one. An API server evaluates every condition of an entry, also after one is false
 * (`ForInput` in `plugin/cel/condition.go` of k8s.io/apiserver): an object that takes no part would be compared with its
 * old self on each write. One expression ends at its first part that is false, and means the same: in CEL
 * `false && error` is false, `true && error` an error.
 *
 * @param conditions `matchConditions` as the templates have them: each says one thing, the cheap ones first
 * @param namespace where Sluice is installed
 */
export function joinedConditions(conditions: Json | undefined, namespace: string): JsonMap[] {
  const parts = isList(conditions) ? conditions : [];
  if (parts.length === 0) return [];
  const name = parts.map((part) => stringAt(part, 'name')).join('.');
  const expressions = parts.map((part) => `(\n${inNamespace(stringAt(part, 'expression') ?? '', namespace)}\n)`);
  return [{ name, expression: expressions.join(' && ') }];
}

/**
 * An expression of the templates for an installation in another namespace: they name our controller's user as it is by
 * default.
 */
function inNamespace(expression: string, namespace: string): string {
  return expression.replaceAll(`'${controllerUser(DEFAULT_NAMESPACE)}'`, `'${controllerUser(namespace)}'`);
}
