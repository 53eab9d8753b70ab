import { at, isMap, stringAt } from '../json/value.ts';
import type { KubeObject } from './client.ts';
import type { ObjectName } from './resource.ts';

/** What a Lease says (coordination.k8s.io/v1, `spec`), as leader election uses it. */
export type LeaseRecord = {
  /** Empty when nobody holds it. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** RFC 3339 with microseconds, for people: nobody's clock is compared with anybody else's. */
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often the holder has changed. */
  readonly transitions: number;
};

export function readLease(lease: KubeObject): LeaseRecord {
  const number = (key: string): number => Number(at(lease, ['spec', key]) ?? 0);
  return {
    holder: stringAt(lease, 'spec', 'holderIdentity') ?? '',
    durationSeconds: number('leaseDurationSeconds'),
    acquireTime: stringAt(lease, 'spec', 'acquireTime') ?? '',
    renewTime: stringAt(lease, 'spec', 'renewTime') ?? '',
    transitions: number('leaseTransitions'),
  };
}

/** The object to write: a new one, or `before` with its resourceVersion, labels and what else it holds. */
export function leaseObject(name: ObjectName, before: KubeObject | undefined, record: LeaseRecord): KubeObject {
  const spec = {
    holderIdentity: record.holder,
    leaseDurationSeconds: record.durationSeconds,
    acquireTime: record.acquireTime,
    renewTime: record.renewTime,
    leaseTransitions: record.transitions,
  };
  const metadata = isMap(before?.['metadata']) ? before['metadata'] : { ...name };
  const rest = isMap(before?.['spec']) ? before['spec'] : {};
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: { ...rest, ...spec } };
}

/** The record by which a process takes the Lease. */
export function taken(
  before: LeaseRecord | undefined,
  holder: string,
  durationSeconds: number,
  now: Date,
): LeaseRecord {
  const time = microTime(now);
  const transitions = before === undefined ? 0 : before.transitions + 1;
  return { holder, durationSeconds, acquireTime: time, renewTime: time, transitions };
}

/**
 * The record by which the holder goes on. Others see a sign of life only in a change, so the time goes forward even where
 * the wall clock went back.
 */
export function renewed(record: LeaseRecord, durationSeconds: number, now: Date): LeaseRecord {
  const before = Date.parse(record.renewTime) || 0;
  return { ...record, durationSeconds, renewTime: microTime(new Date(Math.max(now.getTime(), before + 1))) };
}

/** The record that lets others in at once. */
export function released(record: LeaseRecord): LeaseRecord {
  return { ...record, holder: '', durationSeconds: 1 };
}

/** `metav1.MicroTime`: exactly six digits of a second. */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
