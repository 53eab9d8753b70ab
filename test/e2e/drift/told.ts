/** What a user is told of a write, by what it means. */
export type Told = 'annotations are put back' | 'not in effect' | `something else: ${string}`;

/**
 * Reads what a tool said beside its output: kubectl writes `Warning: …`, Helm a line of its log; whatever else is said
 * counts, too.
 */
export function told(stderr: string, namespace: string): Told[] {
  const rollout = `Rollout ${namespace}/web`;
  const putBack = `: only Sluice writes these annotations, so they are put back (${rollout})`;
  const notInEffect = [
    `: set by ${rollout} until its release ends, so what was sent there is not in effect; `,
    `\`kubectl sluice abort web -n ${namespace}\` ends the release`,
  ].join('');
  return stderr
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): Told => {
      if (line.includes(putBack)) return 'annotations are put back';
      return line.includes(notInEffect) ? 'not in effect' : `something else: ${line}`;
    });
}
