package main

import (
	"context"
	"encoding/json"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/fluxcd/pkg/ssa"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// apply does what kustomize-controller does with a Kustomization; force is spec.force: objects are replaced when a field
// cannot be changed. (Fields of other managers are taken over in any case.)
func apply(manager *ssa.ResourceManager, objects []*unstructured.Unstructured, force bool) ([]entry, error) {
	options := ssa.DefaultApplyOptions()
	options.Force = force
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations:   []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: takenOver(),
	}
	changes, err := manager.ApplyAllStaged(context.Background(), objects, options)
	if err != nil {
		return nil, err
	}
	entries := []entry{}
	for _, change := range changes.Entries {
		entries = append(entries, entry{Subject: change.Subject, Action: change.Action})
	}
	return entries, nil
}

// takenOver lists the managers whose fields become Flux's own: kubectl's, and those of Flux before server-side apply.
func takenOver() []ssa.FieldManager {
	return []ssa.FieldManager{
		{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
		{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
		{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
		{Name: owner.Field, OperationType: metav1.ManagedFieldsOperationUpdate},
	}
}

func mergePatch(from, to *unstructured.Unstructured) (json.RawMessage, error) {
	if from == nil || to == nil {
		return nil, nil
	}
	before, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(to)
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}
