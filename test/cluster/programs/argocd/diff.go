package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// verdict is Argo CD's word on one object of an Application.
type verdict struct {
	Application string `json:"application"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	// Status is Synced, OutOfSync, or Unknown when the comparison failed.
	Status string `json:"status"`
	// Change is the merge patch (RFC 7386) from the live object to the one that Argo CD expects; {} when in sync.
	Change json.RawMessage `json:"change"`
	// Error says why the comparison failed; Argo CD shows it as the condition ComparisonError.
	Error string `json:"error,omitempty"`
}

// diff compares each target with its live object, by the settings of every Application.
func (s *deployer) diff() ([]verdict, error) {
	common, cleanup, err := s.commonOptions()
	if err != nil {
		return nil, err
	}
	defer cleanup()
	verdicts := []verdict{}
	for _, target := range s.targets {
		live, err := s.kubectl.GetResource(
			context.Background(), s.config, target.GroupVersionKind(), target.GetName(), target.GetNamespace())
		if err != nil {
			return nil, err
		}
		for _, app := range s.settings {
			verdicts = append(verdicts, compare(target, live, app.name, slices.Concat(common, app.diffOptions())))
		}
	}
	return verdicts, nil
}

func compare(target, live *unstructured.Unstructured, application string, options []diff.Option) verdict {
	answer := verdict{
		Application: application, Kind: target.GetKind(), Name: target.GetName(), Status: "Synced", Change: []byte("{}"),
	}
	// A diff may change what it is given.
	result, err := diff.Diff(target.DeepCopy(), live.DeepCopy(), options...)
	if err == nil && result.Modified {
		answer.Status = "OutOfSync"
		answer.Change, err = jsonpatch.CreateMergePatch(result.NormalizedLive, result.PredictedLive)
	}
	if err != nil {
		answer.Status = "Unknown"
		answer.Error = err.Error()
	}
	return answer
}

// commonOptions are those that CompareAppState sets for every Application.
func (s *deployer) commonOptions() ([]diff.Option, func(), error) {
	_, parser, err := s.kubectl.LoadOpenAPISchema(s.config)
	if err != nil {
		return nil, nil, err
	}
	applier, cleanup, err := s.kubectl.ManageServerSideDiffDryRuns(s.config)
	if err != nil {
		return nil, nil, err
	}
	return []diff.Option{
		diff.WithNormalizer(withoutStatus{}),
		diff.WithGVKParser(parser),
		diff.WithManager(manager),
		diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)),
		diff.WithLogr(logr.Discard()),
	}, cleanup, nil
}

// withoutStatus is Argo CD's default normalization: ignoreResourceStatusField is "all".
type withoutStatus struct{}

// Normalize implements diff.Normalizer.
func (withoutStatus) Normalize(object *unstructured.Unstructured) error {
	unstructured.RemoveNestedField(object.Object, "status")
	return nil
}
