/** The version that a pod of the image `echo` says it is. @throws when somebody else has answered */
export function echoVersion(body: string): string {
  const { version } = JSON.parse(body) as { readonly version?: unknown };
  if (typeof version !== 'string') throw new Error(`no answer of an echo pod: ${body}`);
  return version;
}
