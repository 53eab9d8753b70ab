import { type FieldPath, type Violation, violationText } from './violation.ts';

/** What a validation finds: violations refuse the write, warnings are shown to its author. */
export class Findings {
  readonly violations: Violation[] = [];
  readonly warnings: string[] = [];

  deny(path: FieldPath, message: string): void {
    this.violations.push({ path, message });
  }

  warn(path: FieldPath, message: string): void {
    this.warnings.push(violationText({ path, message }));
  }
}
