import { fieldPath, type Violation, violationText } from '../api/violation.ts';
import { type Answer, deny } from './answer.ts';

/** A refusal that names everything that is wrong with an object, each with its field. */
export function denyFor(
  kind: string,
  violations: readonly Violation[],
  extras: Pick<Answer, 'about'> & Partial<Pick<Answer, 'warnings'>>,
): Answer {
  const causes = violations.map(({ path, message }) => ({ field: fieldPath(path), message }));
  const texts = violations.map(violationText);
  const message = texts.length === 1 ? `${kind}: ${texts[0]}` : `${kind}: ${texts.length} errors: ${texts.join('; ')}`;
  return deny(message, { ...extras, causes });
}
