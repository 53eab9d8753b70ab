import { type Json, stringAt } from '../json/value.ts';

/**
 * The CEL rules of `matches[].path` in TypeScript, by the text of the rule. CEL runs on the API server only; a test
 * holds that the CRDs have exactly these rules and that each of them is meant as it is written here.
 */
const LITERAL = "(self.type in ['Exact', 'PathPrefix']) ? ";
const CHARACTERS = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;

const contains = (part: string): [string, (value: string) => boolean] => [
  `!self.value.contains('${part}')`,
  (value) => !value.includes(part),
];
const endsWith = (part: string): [string, (value: string) => boolean] => [
  `!self.value.endsWith('${part}')`,
  (value) => !value.endsWith(part),
];

const LITERAL_RULES: readonly [string, (value: string) => boolean][] = [
  ["self.value.startsWith('/')", (value) => value.startsWith('/')],
  ...['//', '/./', '/../', '%2f', '%2F', '#'].map(contains),
  ...['/..', '/.'].map(endsWith),
  [
    `self.value.matches(r"""^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$""")`,
    (value) => CHARACTERS.test(value),
  ],
];

/** Rules by their text in the CRD; a path (with its defaults) goes in, whether the rule holds comes out. */
export const PATH_RULES: Readonly<Record<string, (path: Json) => boolean>> = {
  "self.type in ['Exact', 'PathPrefix', 'RegularExpression']": (path) =>
    isLiteral(path) || typeOf(path) === 'RegularExpression',
  ...Object.fromEntries(
    LITERAL_RULES.map(([rule, holds]) => [
      `${LITERAL}${rule} : true`,
      (path: Json) => !isLiteral(path) || holds(stringAt(path, 'value') ?? '/'),
    ]),
  ),
};

function typeOf(path: Json): string {
  return stringAt(path, 'type') ?? 'PathPrefix';
}

function isLiteral(path: Json): boolean {
  return ['Exact', 'PathPrefix'].includes(typeOf(path));
}
