import type { Answer } from './answer.ts';
import type { ConversionAnswer, ConversionRequest } from './conversion.ts';
import type { AdmissionRequest, Operation } from './request.ts';

/** Which writes a webhook is called for: one entry of `webhooks[].rules` (admissionregistration.k8s.io/v1). */
export type Rule = {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly Operation[];
};

/**
 * What the API server does with a write when no answer comes. It decides how a `failed` answer travels too: with `Fail`
 * as a refusal that the writer can read, with `Ignore` as an HTTP error, since a refusal in a review is final whatever
 * the policy says.
 */
export type FailurePolicy = 'Fail' | 'Ignore';

export type AdmissionHandler = (request: AdmissionRequest) => Answer | Promise<Answer>;
export type ConversionHandler = (request: ConversionRequest) => ConversionAnswer | Promise<ConversionAnswer>;

export type AdmissionRoute = {
  readonly review: 'AdmissionReview';
  readonly path: string;
  readonly failurePolicy: FailurePolicy;
  readonly handle: AdmissionHandler;
};
export type ConversionRoute = {
  readonly review: 'ConversionReview';
  readonly path: string;
  readonly handle: ConversionHandler;
};
/** A path of the HTTPS server and what answers there. */
export type Route = AdmissionRoute | ConversionRoute;
