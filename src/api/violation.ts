import { jsonText } from '../json/text.ts';
import type { Json } from '../json/value.ts';

/** Keys and indexes that lead from an object's root to one of its fields. */
export type FieldPath = readonly (string | number)[];

/** One thing that is wrong with an object. */
export type Violation = {
  readonly path: FieldPath;
  /** What is wrong, and what to write instead. */
  readonly message: string;
};

const PLAIN_KEY = /^[A-Za-z_][\w-]*$/;

/** A path as Kubernetes writes it: `spec.strategy.canary.steps[2].traffic`, `metadata.annotations[a.b/c]`. */
export function fieldPath(path: FieldPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number' || !PLAIN_KEY.test(step)) return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** `path: message`, as a denial or a line of `lint` shows it. */
export function violationText({ path, message }: Violation): string {
  return path.length === 0 ? message : `${fieldPath(path)}: ${message}`;
}

/** A value as a message quotes it: its JSON text, cut after 40 characters. */
export function quoted(value: Json): string {
  const text = jsonText(value);
  return text.length <= 40 ? text : `${text.slice(0, 36)} …`;
}

/** `a, b or c`. */
export function oneOf(words: readonly string[], last = 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
