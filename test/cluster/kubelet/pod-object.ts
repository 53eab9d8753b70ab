/** The parts of a Pod (core/v1) that this kubelet reads, under the API's own names. */
export type Pod = {
  readonly metadata: Metadata;
  readonly spec: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
    readonly startTime?: string;
  };
};

export type Metadata = {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
};

export type PodSpec = {
  readonly nodeName?: string;
  readonly serviceAccountName?: string;
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  readonly terminationGracePeriodSeconds?: number;
  readonly hostNetwork?: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly readinessGates?: readonly { readonly conditionType: string }[];
};

export type Container = {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly EnvFrom[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly securityContext?: { readonly readOnlyRootFilesystem?: boolean };
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: Handler; readonly postStart?: Handler };
  /** `Always` on an init container makes it a sidecar. */
  readonly restartPolicy?: string;
};

export type EnvVar = {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: FieldRef;
    readonly configMapKeyRef?: KeyRef;
    readonly secretKeyRef?: KeyRef;
    readonly resourceFieldRef?: unknown;
  };
};

export type EnvFrom = {
  readonly prefix?: string;
  readonly configMapRef?: { readonly name: string; readonly optional?: boolean };
  readonly secretRef?: { readonly name: string; readonly optional?: boolean };
};

export type FieldRef = { readonly fieldPath: string };
export type KeyRef = { readonly name: string; readonly key: string; readonly optional?: boolean };

export type VolumeMount = {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
};

export type KeyToPath = { readonly key: string; readonly path: string; readonly mode?: number };
export type DownwardItem = {
  readonly path: string;
  readonly fieldRef?: FieldRef;
  readonly resourceFieldRef?: unknown;
  readonly mode?: number;
};
type FromObject = { readonly items?: readonly KeyToPath[]; readonly optional?: boolean };

/** One source of files: a projected volume has many, each of the other kinds is one. */
export type VolumeSource = {
  readonly configMap?: FromObject & { readonly name: string };
  readonly secret?: FromObject & { readonly name: string };
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[] };
  readonly serviceAccountToken?: {
    readonly path: string;
    readonly audience?: string;
    readonly expirationSeconds?: number;
  };
};

export type Volume = {
  readonly name: string;
  readonly emptyDir?: object;
  readonly configMap?: VolumeSource['configMap'] & { readonly defaultMode?: number };
  readonly secret?: FromObject & { readonly secretName: string; readonly defaultMode?: number };
  readonly downwardAPI?: VolumeSource['downwardAPI'] & { readonly defaultMode?: number };
  readonly projected?: { readonly sources?: readonly VolumeSource[]; readonly defaultMode?: number };
};

/** What a probe or a hook does; the API allows exactly one. */
export type Handler = {
  readonly httpGet?: {
    readonly path?: string;
    readonly port: number | string;
    readonly host?: string;
    readonly scheme?: 'HTTP' | 'HTTPS';
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly exec?: { readonly command?: readonly string[] };
  readonly grpc?: object;
  readonly sleep?: { readonly seconds: number };
};

export type Probe = Handler & {
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
};

export type Condition = {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
};

/** ContainerState of core/v1: one of the three. */
export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: Terminated };

export type Terminated = {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly containerID: string;
};
