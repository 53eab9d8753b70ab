/** One Go module of `programs/<name>/` and the programs that are built from it. */
export type Module = {
  /** Name of each program → its Go package. */
  readonly packages: Readonly<Record<string, string>>;
  readonly ldflags: string;
  /** Build tags, by comma. */
  readonly tags?: string;
};

const STRIPPED = '-s -w';
const VERSION = 'k8s.io/component-base/version';

/** Every program that a test cluster can run. A new one: a folder with go.mod and go.sum, and an entry here. */
export const MODULES = {
  kubernetes: {
    packages: {
      etcd: 'go.etcd.io/etcd/server/v3',
      kubectl: 'k8s.io/kubernetes/cmd/kubectl',
      'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
      'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
      'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
    },
    // Without these the programs call themselves v0.0.0, and Helm refuses charts by their kubeVersion.
    ldflags: `${STRIPPED} -X ${VERSION}.gitVersion=v1.36.3 -X ${VERSION}.gitMajor=1 -X ${VERSION}.gitMinor=36`,
  },
  helm: { packages: { helm: 'helm.sh/helm/v3/cmd/helm' }, ldflags: STRIPPED },
  argocd: { packages: { 'argocd-verdict': '.' }, ldflags: STRIPPED },
  flux: { packages: { 'flux-verdict': '.' }, ldflags: STRIPPED },
  istio: {
    packages: { 'pilot-discovery': 'istio.io/istio/pilot/cmd/pilot-discovery' },
    ldflags: STRIPPED,
    // Istio's own builds leave the validators of Envoy's messages out as well: half of what there is to compile.
    tags: 'disable_pgv',
  },
} as const satisfies Record<string, Module>;

export type ModuleName = keyof typeof MODULES;

type NamesOf<M> = M extends { readonly packages: infer P } ? keyof P & string : never;
export type Program = NamesOf<(typeof MODULES)[ModuleName]>;

/** What every test cluster needs. */
export const BASE: readonly ModuleName[] = ['kubernetes', 'helm', 'argocd', 'flux'];

/** Parts of a cluster that only some tests ask for, and the modules of each. */
export const PARTS = { mesh: ['istio'] } as const satisfies Record<string, readonly ModuleName[]>;

export type Part = keyof typeof PARTS;
