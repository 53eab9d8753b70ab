// Command flux-verdict says what Flux would say about manifests in a cluster, and applies them as Flux does, by Flux's own
// library. What is ours is only the order of the calls and the options, as in kustomize-controller (internal/controller,
// KustomizationReconciler.apply).
//
//	flux-verdict diff NAMESPACE < manifests     → {entries: [{subject, action, change}], warnings}
//	flux-verdict apply NAMESPACE [--force] < manifests    → the same
//
// The cluster is that of KUBECONFIG; the Kustomization is called web and lives in NAMESPACE.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// owner names kustomize-controller's field manager and the group of its owner labels.
var owner = ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}

// entry is Flux's word on one object.
type entry struct {
	Subject string `json:"subject"`
	// Action is created, configured, unchanged or skipped.
	Action ssa.Action `json:"action"`
	// Change is the merge patch (RFC 7386) from the live object to the one after an apply; only of a diff that finds one.
	Change json.RawMessage `json:"change,omitempty"`
}

type answer struct {
	Entries  []entry  `json:"entries"`
	Warnings []string `json:"warnings"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	usage := errors.New("usage: flux-verdict diff NAMESPACE | flux-verdict apply NAMESPACE [--force]")
	if len(args) < 2 {
		return usage
	}
	command, namespace, flags := args[0], args[1], args[2:]
	collected := &warnings{texts: []string{}}
	manager, err := newManager(collected)
	if err != nil {
		return err
	}
	objects, err := readObjects(manager, namespace, in)
	if err != nil {
		return err
	}
	var entries []entry
	switch {
	case command == "diff" && len(flags) == 0:
		entries, err = diff(manager, objects)
	case command == "apply" && len(flags) == 0:
		entries, err = apply(manager, objects, false)
	case command == "apply" && len(flags) == 1 && flags[0] == "--force":
		entries, err = apply(manager, objects, true)
	default:
		return usage
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer{Entries: entries, Warnings: collected.texts})
}

func newManager(handler rest.WarningHandler) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.WarningHandler = handler
	connection, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	// A poller is needed only by those who wait for health.
	return ssa.NewResourceManager(connection, nil, owner), nil
}

func readObjects(manager *ssa.ResourceManager, namespace string, in io.Reader) ([]*unstructured.Unstructured, error) {
	manifests, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	objects, err := utils.ReadObjects(bytes.NewReader(manifests))
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		object.SetNamespace(namespace)
	}
	manager.SetOwnerLabels(objects, "web", namespace)
	return objects, normalize.UnstructuredList(objects)
}

func diff(manager *ssa.ResourceManager, objects []*unstructured.Unstructured) ([]entry, error) {
	entries := []entry{}
	for _, object := range objects {
		found, live, merged, err := manager.Diff(context.Background(), object, ssa.DefaultDiffOptions())
		if err != nil {
			return nil, err
		}
		change, err := mergePatch(live, merged)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{found.Subject, found.Action, change})
	}
	return entries, nil
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
