/**
 * What a step may ask of a request, as a tree: an expression is one, and so is a `matches` list (an OR of ANDs). Both
 * become the same list of terms for scripts, see terms.ts.
 */

/** The part of a request that a test looks at. Header names are the same in any case. */
export type Operand =
  | { readonly on: 'header' | 'cookie' | 'query'; readonly name: string }
  | { readonly on: 'path' | 'method' };

export type Operator = '==' | '!=' | 'regex' | 'prefix' | 'in';

/** One comparison; several values for `in` only. */
export type Test = {
  readonly test: Operand;
  readonly operator: Operator;
  readonly values: readonly string[];
};

/**
 * A path `prefix` means whole path elements, as in the Gateway API: `/a` holds for `/a` and `/a/b`, not for `/ab`. A
 * `regex` has to match the whole value. A header, cookie or query parameter that is not there fails every operator but
 * `!=`, and `not` is the plain opposite.
 */
export type Condition =
  | Test
  | { readonly and: readonly Condition[] }
  | { readonly or: readonly Condition[] }
  | { readonly not: Condition };

/** An operand as an expression writes it: `header("x")`, `path`. */
export function operandText(operand: Operand): string {
  return 'name' in operand ? `${operand.on}(${JSON.stringify(operand.name)})` : operand.on;
}
