package main

import (
	"context"

	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// synced is what a sync leaves behind for whoever looks at it.
type synced struct {
	Messages []string `json:"messages"`
	// Warnings of the API server and its webhooks; Argo CD shows them nowhere but in its own log.
	Warnings []string `json:"warnings"`
}

// sync applies the targets as Argo CD does with the sync options of an Application: validated, not forced.
func (s *deployer) sync(app application) (*synced, error) {
	operations, cleanup, err := s.kubectl.ManageResources(s.config)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	answer := &synced{Messages: []string{}}
	for _, target := range s.targets {
		message, err := operations.ApplyResource(
			context.Background(), target, cmdutil.DryRunNone, false, true, app.serverSideApply, manager)
		if err != nil {
			return nil, err
		}
		answer.Messages = append(answer.Messages, message)
	}
	answer.Warnings = s.warnings.texts
	return answer, nil
}
