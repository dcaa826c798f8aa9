// Program kubelet stands in for the kubelet of a node: it registers the node with an API
// server, starts the pods that the scheduler gives to it as processes of this machine, each
// in a root of its own that holds the image, and reports how they ended. A pod that is
// deleted is asked to stop, and killed when its time of grace is over.
//
// It runs what the Jobs of finetune are made of: one container, one image for all of them,
// mounts of claimed volumes. It limits no resources, and needs Linux and root.
//
// The module also names the programs of a control plane as its tools, see scripts/kubernetes.sh.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) > 1 && os.Args[1] == enter {
		log.Print(contain(os.Args[2:]))
		os.Exit(cannotStart)
	}
	n := &node{pods: map[types.UID]*pod{}}
	config := flag.String("kubeconfig", "", "how to reach the API server")
	flag.StringVar(&n.image, "image", "", "folder of what is in the image of every pod")
	flag.StringVar(&n.dir, "dir", "", "folder for the roots and the logs of pods")
	flag.StringVar(&n.cpus, "cpus", "4", "what the node says it has")
	flag.Parse()
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	if err := n.run(ctx, *config); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

// nodeName is what the node is called.
const nodeName = "here"

// poll is how often the node looks for pods.
const poll = 300 * time.Millisecond

// A node is this machine as a part of the cluster.
type node struct {
	*kubernetes.Clientset
	image, dir, cpus string
	pods             map[types.UID]*pod // that it has started
}

// run registers the node and looks after its pods until ctx ends.
func (n *node) run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	if n.Clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := n.register(ctx); err != nil {
		return err
	}
	log.Printf("node %s is ready", nodeName)
	for ctx.Err() == nil {
		list, err := n.CoreV1().Pods("").List(ctx, meta.ListOptions{FieldSelector: "spec.nodeName=" + nodeName})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if err := n.look(ctx, &list.Items[i]); err != nil {
				return err
			}
		}
		time.Sleep(poll)
	}
	return nil
}

// register makes the node known, ready and with nothing on it.
func (n *node) register(ctx context.Context) error {
	amounts := core.ResourceList{
		core.ResourceCPU: resource.MustParse(n.cpus), core.ResourceMemory: resource.MustParse("8G"), core.ResourcePods: resource.MustParse("110"),
	}
	_, err := n.CoreV1().Nodes().Create(ctx, &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: nodeName, Labels: map[string]string{core.LabelHostname: nodeName}},
		Status: core.NodeStatus{Capacity: amounts, Allocatable: amounts, Conditions: []core.NodeCondition{{
			Type: core.NodeReady, Status: core.ConditionTrue, Reason: "Registered", LastHeartbeatTime: meta.Now(), LastTransitionTime: meta.Now(),
		}}},
	}, meta.CreateOptions{})
	return err
}

// look does what the API server says of a pod: start it, stop it, or take it off its list.
func (n *node) look(ctx context.Context, of *core.Pod) error {
	p := n.pods[of.UID]
	switch {
	case p == nil && of.DeletionTimestamp == nil && of.Status.Phase == core.PodPending:
		p, err := n.start(ctx, of)
		n.pods[of.UID] = p
		return err
	case p != nil && !p.ended.Load():
		if of.DeletionTimestamp != nil {
			p.stop(time.Duration(*of.DeletionGracePeriodSeconds) * time.Second)
		}
	case of.DeletionTimestamp != nil:
		now := int64(0)
		return ignoreGone(n.CoreV1().Pods(of.Namespace).Delete(ctx, of.Name, meta.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &of.UID},
		}))
	}
	return nil
}

// start begins a pod's process and reports it, and later how it ended.
func (n *node) start(ctx context.Context, of *core.Pod) (*pod, error) {
	p, err := n.prepare(ctx, of)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", of.Name, err)
	}
	begun := meta.Now()
	started := make(chan error)
	go func() {
		code := p.run(started)
		state := core.ContainerStateTerminated{ExitCode: int32(code), Reason: "Completed", StartedAt: begun, FinishedAt: meta.Now()}
		phase := core.PodSucceeded
		if code != 0 {
			state.Reason, phase = "Error", core.PodFailed
		}
		log.Printf("%s ended with %d", of.Name, code)
		if err := n.report(of, phase, core.ContainerState{Terminated: &state}); err != nil {
			log.Print(err)
		}
		p.ended.Store(true) // once it is reported: what is deleted then is counted
	}()
	if err := <-started; err != nil {
		return p, nil // it is reported as one that failed
	}
	log.Printf("%s started: index %s, process %d", of.Name, of.Labels["batch.kubernetes.io/job-completion-index"], p.command.Process.Pid)
	return p, n.report(of, core.PodRunning, core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: begun}})
}

// report sets a pod's status. A pod that is gone has none.
func (n *node) report(of *core.Pod, phase core.PodPhase, state core.ContainerState) error {
	c := of.Spec.Containers[0]
	text, err := json.Marshal(map[string]core.PodStatus{"status": {Phase: phase, ContainerStatuses: []core.ContainerStatus{{
		Name: c.Name, Image: c.Image, State: state, Ready: phase == core.PodRunning,
	}}}})
	if err != nil {
		return err
	}
	// Not of the node's context: what ends with the node is reported.
	_, err = n.CoreV1().Pods(of.Namespace).Patch(context.Background(), of.Name, types.StrategicMergePatchType, text, meta.PatchOptions{}, "status")
	return ignoreGone(err)
}
