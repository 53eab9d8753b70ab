// Command recorder reads one case a line as JSON, and writes what the Deployment controller of Kubernetes does with it in
// one sync. It is built by record.ts inside a module that has Kubernetes among its dependencies.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strconv"
	_ "unsafe" // for go:linkname

	apps "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubernetes/pkg/controller/deployment"
)

//go:linkname syncDeployment k8s.io/kubernetes/pkg/controller/deployment.(*DeploymentController).syncDeployment
func syncDeployment(dc *deployment.DeploymentController, ctx context.Context, key string) error

const revisionAnnotation = "deployment.kubernetes.io/revision"

type syncCase struct {
	Deployment  *apps.Deployment   `json:"deployment"`
	ReplicaSets []*apps.ReplicaSet `json:"replicaSets"`
	Pods        []*v1.Pod          `json:"pods"`
}

// write is one write to a ReplicaSet that succeeded.
type write struct {
	Write      string           `json:"write"`
	ReplicaSet *apps.ReplicaSet `json:"replicaSet"`
}

// outcome is what one sync wrote; status and revision are those of the Deployment after it.
type outcome struct {
	Writes   []write               `json:"writes"`
	Status   apps.DeploymentStatus `json:"status"`
	Revision string                `json:"revision"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var one syncCase
		must(json.Unmarshal(lines.Bytes(), &one))
		must(out.Encode(record(one)))
	}
	must(lines.Err())
}

// record runs one sync, with caches that hold the objects of the case. An error ends the sync; what was written before it
// stays written.
func record(one syncCase) outcome {
	ctx := context.Background()
	d := one.Deployment
	recorded := &outcome{Writes: []write{}, Status: d.Status, Revision: d.Annotations[revisionAnnotation]}
	client := recordingClient(recorded)
	factory := informers.NewSharedInformerFactory(client, 0)
	deployments, replicaSets, pods := factory.Apps().V1().Deployments(), factory.Apps().V1().ReplicaSets(), factory.Core().V1().Pods()
	dc, err := deployment.NewDeploymentController(ctx, deployments, replicaSets, pods, client)
	must(err)
	must(deployments.Informer().GetIndexer().Add(d))
	for _, set := range one.ReplicaSets {
		set.ResourceVersion = "0"
		must(replicaSets.Informer().GetIndexer().Add(set))
	}
	for _, pod := range one.Pods {
		must(pods.Informer().GetIndexer().Add(pod))
	}
	if err := syncDeployment(dc, ctx, d.Namespace+"/"+d.Name); !errors.IsConflict(err) {
		must(err)
	}
	return *recorded
}

// recordingClient refuses a ReplicaSet that was computed from an older version, as the API does.
func recordingClient(recorded *outcome) *fake.Clientset {
	client := &fake.Clientset{}
	versions := map[string]int{}
	note := func(verb string, set *apps.ReplicaSet) (bool, runtime.Object, error) {
		recorded.Writes = append(recorded.Writes, write{verb, set})
		return true, set, nil
	}
	client.AddReactor("*", "replicasets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		switch a := action.(type) {
		case clienttesting.CreateActionImpl:
			return note("create", a.GetObject().(*apps.ReplicaSet).DeepCopy())
		case clienttesting.UpdateActionImpl:
			set := a.GetObject().(*apps.ReplicaSet).DeepCopy()
			if set.ResourceVersion != strconv.Itoa(versions[set.Name]) {
				group := schema.GroupResource{Group: "apps", Resource: "replicasets"}
				return true, nil, errors.NewConflict(group, set.Name, nil)
			}
			versions[set.Name]++
			set.ResourceVersion = strconv.Itoa(versions[set.Name])
			return note("update", set)
		case clienttesting.DeleteActionImpl:
			set := &apps.ReplicaSet{}
			set.Name = a.GetName()
			return note("delete", set)
		}
		return false, nil, nil
	})
	client.AddReactor("update", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
		d := action.(clienttesting.UpdateActionImpl).GetObject().(*apps.Deployment)
		recorded.Status, recorded.Revision = d.Status, d.Annotations[revisionAnnotation]
		return true, d, nil
	})
	return client
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
