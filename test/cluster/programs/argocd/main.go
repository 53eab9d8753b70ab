// Command argocd-verdict says what Argo CD would say about manifests in a cluster, and applies them as Argo CD does, by
// Argo CD's own library. What is ours is only the order of the calls, as in Argo CD's controller/state.go (CompareAppState)
// and pkg/sync/sync_context.go (applyObject).
//
//	argocd-verdict diff NAMESPACE SETTINGS < manifests    → [{application, kind, name, status, change, error}]
//	argocd-verdict sync NAMESPACE SETTINGS < manifests    → {messages, warnings}
//
// The cluster is that of KUBECONFIG. Manifests are as they come from Git, with Argo CD's tracking annotation. SETTINGS is a
// file with Applications, of which only the options for comparing and syncing are read, and perhaps the ConfigMap
// argocd-cmd-params-cm. diff answers for each Application, sync uses the first.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// manager is Argo CD's field manager (common.ArgoCDSSAManager), also of client-side applies.
const manager = "argocd-controller"

// deployer is what both commands need.
type deployer struct {
	config   *rest.Config
	kubectl  *kube.KubectlCmd
	settings []application
	targets  []*unstructured.Unstructured
	warnings *warnings
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	usage := errors.New("usage: argocd-verdict diff|sync NAMESPACE SETTINGS < manifests")
	if len(args) != 3 {
		return usage
	}
	s, err := newDeployer(args[1], args[2], in)
	if err != nil {
		return err
	}
	var answer any
	switch args[0] {
	case "diff":
		answer, err = s.diff()
	case "sync":
		answer, err = s.sync(s.settings[0])
	default:
		return usage
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

func newDeployer(namespace, settingsFile string, in io.Reader) (*deployer, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	settings, err := readSettings(settingsFile)
	if err != nil {
		return nil, err
	}
	manifests, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	targets, err := kube.SplitYAML(manifests)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		target.SetNamespace(namespace)
	}
	collected := &warnings{texts: []string{}}
	rest.SetDefaultWarningHandler(collected)
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	return &deployer{config: config, kubectl: kubectl, settings: settings, targets: targets, warnings: collected}, nil
}

// warnings keeps what the API server and its webhooks warn of.
type warnings struct {
	mutex sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler; 299 is the code of Kubernetes' warnings.
func (w *warnings) HandleWarningHeader(code int, _ string, text string) {
	if code != 299 {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.texts = append(w.texts, text)
}
