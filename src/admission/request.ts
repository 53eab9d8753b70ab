import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** `request` of an AdmissionReview (admission.k8s.io/v1) as plain data; what the API may leave out is '' or undefined. */
export type AdmissionRequest = {
  readonly uid: string;
  readonly operation: Operation;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
  /** `status`, `scale`; '' for the object itself. */
  readonly subresource: string;
  /** '' when the API server has yet to make it up from `generateName`. */
  readonly name: string;
  /** '' for a cluster-scoped object. */
  readonly namespace: string;
  readonly dryRun: boolean;
  readonly user: { readonly name: string; readonly groups: readonly string[] };
  /** `options.fieldManager`: who the writer says it is; set for every kind of write. */
  readonly fieldManager: string | undefined;
  /** Absent for DELETE. */
  readonly object: JsonMap | undefined;
  /** Absent for CREATE. */
  readonly oldObject: JsonMap | undefined;
  /** Size of the review's text, which bounds the size of both objects. */
  readonly bytes: number;
  /** When the server got the review, in milliseconds since 1970. */
  readonly receivedAt: number;
};

export type RequestReading =
  | { readonly reading: 'request'; readonly request: AdmissionRequest }
  | { readonly reading: 'malformed'; readonly message: string };

/**
 * Reads `request` of a review.
 * @param bytes the size of the text that the review was read from.
 * @param receivedAt when that text came, in milliseconds since 1970.
 * @returns `malformed` with what is missing when the request cannot be judged: an API server never sends such a one.
 */
export function readRequest(value: Json | undefined, bytes: number, receivedAt: number): RequestReading {
  if (!isMap(value)) return malformed('the review has no request: send {"request": {"uid": …, "operation": …}}');
  const uid = stringAt(value, 'uid');
  if (uid === undefined || uid === '') return malformed('request.uid is missing: the answer is matched by it');
  const operation = stringAt(value, 'operation');
  if (!isOperation(operation)) return malformed('request.operation must be CREATE, UPDATE, DELETE or CONNECT');
  const object = objectAt(value, 'object');
  const oldObject = objectAt(value, 'oldObject');
  if (object === undefined && (operation === 'CREATE' || operation === 'UPDATE')) {
    return malformed(`request.object is missing: a review of ${operation} carries the object to be written`);
  }
  if (oldObject === undefined && operation === 'UPDATE') {
    return malformed('request.oldObject is missing: a review of UPDATE carries the object as it is stored');
  }
  const user = member(value, 'userInfo');
  return {
    reading: 'request',
    request: {
      uid,
      operation,
      kind: {
        group: stringAt(value, 'kind', 'group') ?? '',
        version: stringAt(value, 'kind', 'version') ?? '',
        kind: stringAt(value, 'kind', 'kind') ?? '',
      },
      resource: {
        group: stringAt(value, 'resource', 'group') ?? '',
        version: stringAt(value, 'resource', 'version') ?? '',
        resource: stringAt(value, 'resource', 'resource') ?? '',
      },
      subresource: stringAt(value, 'subResource') ?? '',
      name: stringAt(value, 'name') ?? '',
      namespace: stringAt(value, 'namespace') ?? '',
      dryRun: member(value, 'dryRun') === true,
      user: { name: stringAt(user, 'username') ?? '', groups: strings(member(user, 'groups')) },
      fieldManager: stringAt(value, 'options', 'fieldManager'),
      object,
      oldObject,
      bytes,
      receivedAt,
    },
  };
}

function malformed(message: string): RequestReading {
  return { reading: 'malformed', message };
}

/** The API server writes an object that is not there as null. */
function objectAt(request: JsonMap, key: string): JsonMap | undefined {
  const value = at(request, [key]);
  return isMap(value) ? value : undefined;
}

function isOperation(text: string | undefined): text is Operation {
  return text === 'CREATE' || text === 'UPDATE' || text === 'DELETE' || text === 'CONNECT';
}

function strings(value: Json | undefined): readonly string[] {
  return isList(value) ? value.filter((item) => typeof item === 'string') : [];
}
