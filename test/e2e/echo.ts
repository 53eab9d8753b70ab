export type EchoOptions = {
  readonly name: string;
  readonly version: string;
  readonly replicas: number;
  /** Further fields of the container. */
  readonly container?: object;
  /** A ConfigMap whose keys are files below `/etc/<its name>`. */
  readonly configMap?: string | undefined;
};

/** A Deployment of the image `echo`: labels `app` and `version` on its pods, port 8080, at least 0 pods missing. */
export function echoDeployment({ name, version, replicas, container: further, configMap }: EchoOptions): object {
  const labels = { app: name, version };
  const files = (configMap === undefined ? [] : [configMap]).map((file) => ({
    mount: { name: file, mountPath: `/etc/${file}` },
    volume: { name: file, configMap: { name: file } },
  }));
  const container = {
    name: 'echo',
    image: 'echo',
    env: [
      { name: 'VERSION', value: version },
      { name: 'LABELS_FILE', value: '/etc/podinfo/labels' },
    ],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 },
    volumeMounts: [{ name: 'podinfo', mountPath: '/etc/podinfo' }, ...files.map(({ mount }) => mount)],
    ...further,
  };
  const item = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [container],
          volumes: [{ name: 'podinfo', downwardAPI: { items: [item] } }, ...files.map(({ volume }) => volume)],
        },
      },
    },
  };
}

/** A Service for the pods of {@link echoDeployment}. */
export function echoService(name: string): object {
  const ports = [{ name: 'http', port: 80, targetPort: 'http' }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports } };
}
