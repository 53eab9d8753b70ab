package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/resource"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const compareOptions = "argocd.argoproj.io/compare-options"

// application holds the settings of an Application that decide how it is compared and synced.
type application struct {
	name                   string
	serverSideDiff         bool
	includeMutationWebhook bool
	serverSideApply        bool
}

// diffOptions turns settings into options of the library, as CompareAppState does.
func (a application) diffOptions() []diff.Option {
	return []diff.Option{
		diff.WithServerSideDiff(a.serverSideDiff),
		diff.WithIgnoreMutationWebhook(!a.includeMutationWebhook),
		diff.WithStructuredMergeDiff(a.serverSideApply),
	}
}

func readSettings(file string) ([]application, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	documents, err := kube.SplitYAML(text)
	if err != nil {
		return nil, err
	}
	serverSideDiff := slices.ContainsFunc(documents, enablesServerSideDiff)
	applications := []application{}
	for _, document := range documents {
		if document.GetKind() == "Application" {
			applications = append(applications, readApplication(document, serverSideDiff))
		}
	}
	if len(applications) == 0 {
		return nil, fmt.Errorf("%s holds no Application", file)
	}
	return applications, nil
}

// enablesServerSideDiff is true of the ConfigMap by which Argo CD's controller gets the flag --server-side-diff-enabled.
func enablesServerSideDiff(document *unstructured.Unstructured) bool {
	value, _, _ := unstructured.NestedString(document.Object, "data", "controller.diff.server.side")
	return document.GetKind() == "ConfigMap" && document.GetName() == "argocd-cmd-params-cm" && value == "true"
}

func readApplication(document *unstructured.Unstructured, serverSideDiff bool) application {
	compares := func(option string) bool { return resource.HasAnnotationOption(document, compareOptions, option) }
	options, _, _ := unstructured.NestedStringSlice(document.Object, "spec", "syncPolicy", "syncOptions")
	return application{
		name:                   document.GetName(),
		serverSideDiff:         (serverSideDiff || compares("ServerSideDiff=true")) && !compares("ServerSideDiff=false"),
		includeMutationWebhook: compares("IncludeMutationWebhook=true"),
		serverSideApply:        slices.Contains(options, "ServerSideApply=true"),
	}
}
