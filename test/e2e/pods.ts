import { type Cluster, succeeded } from '../cluster/cluster.ts';

/** What tests ask of a pod. */
export type PodView = {
  readonly name: string;
  readonly node: string;
  readonly ip: string;
  /** Its label `version`. */
  readonly version: string | undefined;
  readonly isReady: boolean;
  /** It was deleted and has not ended yet. */
  readonly isEnding: boolean;
  readonly restarts: number;
  readonly lastExitCode: number | undefined;
};

type PodObject = {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly lastState: { readonly terminated?: { readonly exitCode: number } };
    }[];
  };
};

/** The pods that a label selector finds, those that end included. */
export async function podsOf(kubectl: Cluster['kubectl'], namespace: string, selector: string): Promise<PodView[]> {
  const list = JSON.parse(succeeded(await kubectl(['get', 'pods', '-n', namespace, '-l', selector, '-o', 'json'])));
  return (list.items as PodObject[]).map(({ metadata, spec, status }) => {
    const [first] = status.containerStatuses ?? [];
    return {
      name: metadata.name,
      node: spec.nodeName ?? '',
      ip: status.podIP ?? '',
      version: metadata.labels?.['version'],
      isReady: status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
      isEnding: metadata.deletionTimestamp !== undefined,
      restarts: first?.restartCount ?? 0,
      lastExitCode: first?.lastState.terminated?.exitCode,
    };
  });
}
