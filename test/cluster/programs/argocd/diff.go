package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// verdict is Argo CD's word on one object in one mode.
type verdict struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Mode string `json:"mode"`
	// Modified is what Argo CD shows as OutOfSync.
	Modified bool `json:"modified"`
	// Change is the merge patch (RFC 7386) from the live object to the one that Argo CD expects; {} when in sync.
	Change json.RawMessage `json:"change"`
}

// mode is one way in which Argo CD compares.
type mode struct {
	name    string
	options []diff.Option
}

// diff compares each target with its live object in every mode.
func (s *session) diff() ([]verdict, error) {
	modes, cleanup, err := s.modes()
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
		for _, mode := range modes {
			// A diff may change what it is given.
			result, err := diff.Diff(target.DeepCopy(), live.DeepCopy(), mode.options...)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", mode.name, target.GetKind(), err)
			}
			change, err := jsonpatch.CreateMergePatch(result.NormalizedLive, result.PredictedLive)
			if err != nil {
				return nil, err
			}
			verdicts = append(verdicts, verdict{target.GetKind(), target.GetName(), mode.name, result.Modified, change})
		}
	}
	return verdicts, nil
}

// modes lists them with the options that CompareAppState sets for each.
func (s *session) modes() ([]mode, func(), error) {
	_, parser, err := s.kubectl.LoadOpenAPISchema(s.config)
	if err != nil {
		return nil, nil, err
	}
	applier, cleanup, err := s.kubectl.ManageServerSideDiffDryRuns(s.config)
	if err != nil {
		return nil, nil, err
	}
	with := func(more ...diff.Option) []diff.Option {
		every := []diff.Option{
			diff.WithNormalizer(withoutStatus{}),
			diff.WithGVKParser(parser),
			diff.WithManager(manager),
			diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)),
			diff.WithIgnoreMutationWebhook(true),
			diff.WithLogr(logr.Discard()),
		}
		return append(every, more...)
	}
	return []mode{
		{"three-way", with()},
		{"structured-merge", with(diff.WithStructuredMergeDiff(true))},
		{"server-side", with(diff.WithServerSideDiff(true))},
		{"server-side-with-webhooks", with(diff.WithServerSideDiff(true), diff.WithIgnoreMutationWebhook(false))},
	}, cleanup, nil
}

// withoutStatus is Argo CD's default normalization: ignoreResourceStatusField is "all".
type withoutStatus struct{}

// Normalize implements diff.Normalizer.
func (withoutStatus) Normalize(object *unstructured.Unstructured) error {
	unstructured.RemoveNestedField(object.Object, "status")
	return nil
}
