import { parseArgs } from 'node:util';

/** The parts of the bench by the letter that `--only` takes. */
export const PARTS = ['a', 'b', 'c', 'd'] as const;
export type Part = (typeof PARTS)[number];

export type Options = { readonly json: boolean; readonly parts: readonly Part[] };

/**
 * Reads the arguments `--json` and `--only a,b`.
 * @throws Error with what is wrong and what there is.
 */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean' }, only: { type: 'string' } } });
  const named = values.only?.split(',').map((letter) => letter.trim());
  const unknown = named?.filter((letter) => !PARTS.some((part) => part === letter)) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `--only takes parts of ${PARTS.join(',')}, separated by commas, not ${JSON.stringify(values.only)}`,
    );
  }
  return { json: values.json ?? false, parts: PARTS.filter((part) => named?.includes(part) ?? true) };
}
