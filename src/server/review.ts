import type { Answer, Cause, PatchOperation } from '../admission/answer.ts';
import type { ConversionAnswer } from '../admission/conversion.ts';
import type { FailurePolicy } from '../admission/route.ts';
import { parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { Problem } from './problem.ts';

const API_VERSIONS = { AdmissionReview: 'admission.k8s.io/v1', ConversionReview: 'apiextensions.k8s.io/v1' } as const;
type ReviewKind = keyof typeof API_VERSIONS;

/**
 * Reads the text of a review of one kind.
 * @throws Problem when it is not JSON or not that kind of review in its version v1, the only one that we register.
 */
export function readReview(text: string, kind: ReviewKind): JsonMap {
  const review = parse(text);
  const apiVersion = API_VERSIONS[kind];
  if (!isMap(review)) throw new Problem('malformed', `the body is not an object, but should be an ${kind}`);
  if (stringAt(review, 'kind') !== kind || stringAt(review, 'apiVersion') !== apiVersion) {
    throw new Problem('malformed', `the body must be of kind ${kind}, apiVersion ${apiVersion}`);
  }
  return review;
}

/** V8's message quotes the text, which may hold what nobody should see in a log: only the place is kept of it. */
function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    const place = /at position \d+/.exec(error instanceof Error ? error.message : '')?.[0];
    throw new Problem(
      'malformed',
      place === undefined ? 'the body is not JSON' : `the body is not JSON: error ${place}`,
    );
  }
}

/** What travels for an answer: a review with HTTP 200, or an HTTP error that makes the failure policy apply. */
export type Rendered = { readonly body: string } | { readonly problem: Problem };

/** Writes an answer for the request `uid`. */
export function renderAnswer(uid: string, answer: Answer, failurePolicy: FailurePolicy, about: Subject): Rendered {
  switch (answer.verdict) {
    case 'allowed':
      return admissionReview(uid, 'true', answer, '');
    case 'patched':
      return admissionReview(uid, 'true', answer, `,"patchType":"JSONPatch","patch":"${base64(answer.operations)}"`);
    case 'denied':
      return admissionReview(uid, 'false', answer, `,"status":${denial(answer.message, answer.causes, about)}`);
    case 'failed': {
      const { message, retryAfterSeconds } = answer;
      const name = retryAfterSeconds === undefined ? 'failed' : 'unavailable';
      if (failurePolicy === 'Ignore') return { problem: new Problem(name, message, retryAfterSeconds) };
      return admissionReview(uid, 'false', answer, `,"status":${failure(message, retryAfterSeconds)}`);
    }
  }
}

/** What a denial with causes names, as the API's own validation does. */
export type Subject = { readonly group: string; readonly kind: string; readonly name: string };

/** Writes the answer to a review whose request could not be judged because it is malformed. */
export function renderMalformed(uid: string, message: string): string {
  const status = JSON.stringify({ metadata: {}, status: 'Failure', message, reason: 'BadRequest', code: 400 });
  return `${ADMISSION_START}${JSON.stringify(uid)},"allowed":false,"status":${status}}}`;
}

const ADMISSION_START = '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":';

function admissionReview(uid: string, allowed: string, { warnings, audit }: Answer, rest: string): Rendered {
  let body = `${ADMISSION_START}${JSON.stringify(uid)},"allowed":${allowed}${rest}`;
  if (warnings.length > 0) body += `,"warnings":${JSON.stringify(warnings)}`;
  if (Object.keys(audit).length > 0) body += `,"auditAnnotations":${JSON.stringify(audit)}`;
  return { body: `${body}}}` };
}

/** `patch` is of Go type []byte, which is base64 in JSON. */
function base64(operations: readonly PatchOperation[]): string {
  return Buffer.from(`[${operations.map(operationText).join()}]`).toString('base64');
}

/** Texts of values that were written before: a remembered rewrite gives the very same spec again. */
const texts = new WeakMap<object, string>();

function operationText({ op, path, value }: PatchOperation): string {
  if (value === undefined) return JSON.stringify({ op, path });
  return `{"op":"${op}","path":${JSON.stringify(path)},"value":${valueText(value)}}`;
}

function valueText(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = texts.get(value);
  if (text === undefined) {
    text = JSON.stringify(value);
    texts.set(value, text);
  }
  return text;
}

/**
 * A refusal. kubectl shows a status of reason `Invalid` by its causes alone and drops the message, so that reason is
 * for refusals with causes; any other is `Forbidden`, which shows the message.
 */
function denial(message: string, causes: readonly Cause[], { group, kind, name }: Subject): string {
  if (causes.length === 0) {
    return JSON.stringify({ metadata: {}, status: 'Failure', message, reason: 'Forbidden', code: 403 });
  }
  const named = causes.map((cause) => ({ reason: 'FieldValueInvalid', message: cause.message, field: cause.field }));
  return JSON.stringify({
    metadata: {},
    status: 'Failure',
    message,
    reason: 'Invalid',
    details: { name, group, kind, causes: named },
    code: 422,
  });
}

/** With `retryAfterSeconds` the API server sets the header Retry-After, and client-go tries again by itself. */
function failure(message: string, retryAfterSeconds: number | undefined): string {
  const passing = retryAfterSeconds !== undefined;
  return JSON.stringify({
    metadata: {},
    status: 'Failure',
    message,
    reason: passing ? 'ServiceUnavailable' : 'InternalError',
    ...(passing ? { details: { retryAfterSeconds } } : {}),
    code: passing ? 503 : 500,
  });
}

/** Writes the answer to a ConversionReview. */
export function renderConversion(uid: string, answer: ConversionAnswer): string {
  const start = `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","response":{"uid":${JSON.stringify(uid)}`;
  if (answer.verdict === 'failed') {
    return `${start},"result":${JSON.stringify({ status: 'Failure', message: answer.message })}}}`;
  }
  return `${start},"result":{"status":"Success"},"convertedObjects":${JSON.stringify(answer.objects)}}}`;
}
