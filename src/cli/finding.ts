import { type FieldPath, fieldPath, type Violation } from '../api/violation.ts';
import type { Manifest, ManifestError } from '../manifest/manifest.ts';
import type { Channel } from './terminal.ts';

/** Something about a file that its author should know. Lines and columns count from 1. */
export type Finding = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: 'error' | 'warning';
  /** As Kubernetes writes it, `spec.strategy.canary.steps[2].traffic`; empty when no field is meant. */
  readonly field: string;
  readonly message: string;
};

export function findingAt(
  manifest: Manifest,
  path: FieldPath,
  message: string,
  severity: Finding['severity'] = 'error',
): Finding {
  return { file: manifest.file, ...manifest.positionOf(path), severity, field: fieldPath(path), message };
}

export function violationFinding(manifest: Manifest, { path, message }: Violation): Finding {
  return findingAt(manifest, path, message);
}

/**
 * A warning of the API's checks, which comes as `field: message`. The field is found again by walking the object, so
 * that a text without one stays whole.
 */
export function warningFinding(manifest: Manifest, warning: string): Finding {
  const path = pathIn(warning);
  const message = path.length === 0 ? warning : warning.slice(fieldPath(path).length + 2);
  return findingAt(manifest, path, message, 'warning');
}

/** The field path that a text starts with, up to `: `; empty when it starts with none. */
function pathIn(text: string): FieldPath {
  const found = /^(?:[A-Za-z_][\w-]*|\[[^\]]*\])(?:\.[A-Za-z_][\w-]*|\[[^\]]*\])*(?=: )/.exec(text)?.[0];
  if (found === undefined) return [];
  return [...found.matchAll(/\[([^\]]*)\]|[^.[\]]+/g)].map(([whole, inside]) => {
    if (inside === undefined) return whole;
    return /^\d+$/.test(inside) ? Number(inside) : inside;
  });
}

export function errorFinding({ file, position, message }: ManifestError): Finding {
  return { file, ...position, severity: 'error', field: '', message };
}

/** In the order in which a reader meets them. */
export function sorted(findings: readonly Finding[]): Finding[] {
  const files = new Map([...new Set(findings.map(({ file }) => file))].map((file, index) => [file, index]));
  const order = (finding: Finding) => files.get(finding.file) ?? 0;
  return findings.toSorted((a, b) => order(a) - order(b) || a.line - b.line || a.column - b.column);
}

/** `file:line:column: field: message`; warnings say so before the field. */
export function findingLine({ file, line, column, severity, field, message }: Finding, channel: Channel): string {
  const place = channel.paint('bold', `${file}:${line}:${column}:`);
  const warning = severity === 'warning' ? `${channel.paint('yellow', 'warning:')} ` : '';
  const text = message.replaceAll('\n', '\n  ');
  return `${place} ${warning}${field === '' ? '' : `${channel.paint('cyan', `${field}:`)} `}${text}`;
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === 'error');
}
