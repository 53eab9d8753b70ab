/**
 * Replaces `$(NAME)` by the variable's value; unknown names stay as they are and `$$` is a `$`, as the API documents for
 * `command`, `args` and `env[].value`.
 */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return Object.hasOwn(variables, name) ? (variables[name] ?? whole) : whole;
  });
}
