import { isList, isMap, type Json, stringAt } from '../json/value.ts';

/** `request` of a ConversionReview (apiextensions.k8s.io/v1) as plain data. */
export type ConversionRequest = {
  readonly uid: string;
  readonly desiredApiVersion: string;
  /** As they came: the handler names those that it cannot convert. */
  readonly objects: readonly Json[];
};

/** All objects converted, in the order of the request, or why that failed: the API knows no half success. */
export type ConversionAnswer =
  | { readonly verdict: 'converted'; readonly objects: readonly Json[] }
  | { readonly verdict: 'failed'; readonly message: string };

export type ConversionReading =
  | { readonly reading: 'request'; readonly request: ConversionRequest }
  | { readonly reading: 'malformed'; readonly message: string };

/** Reads `request` of a ConversionReview; `malformed` says what is missing. */
export function readConversion(value: Json | undefined): ConversionReading {
  if (!isMap(value)) return malformed('the review has no request: send {"request": {"uid": …, "objects": […]}}');
  const uid = stringAt(value, 'uid');
  if (uid === undefined || uid === '') return malformed('request.uid is missing: the answer is matched by it');
  const desiredApiVersion = stringAt(value, 'desiredAPIVersion');
  if (desiredApiVersion === undefined) return malformed('request.desiredAPIVersion is missing');
  const objects = value['objects'];
  if (!isList(objects)) return malformed('request.objects must be a list');
  return { reading: 'request', request: { uid, desiredApiVersion, objects } };
}

function malformed(message: string): ConversionReading {
  return { reading: 'malformed', message };
}
