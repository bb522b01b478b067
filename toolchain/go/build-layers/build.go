package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/fluxcd/pkg/envsubst/parse"
	generator "github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
)

// defaults are the operators of envsubst that say what to do when the variable is not set.
var defaults = map[string]bool{
	"-": true, "+": true, "=": true, "?": true, ":-": true, ":+": true, ":=": true, ":?": true,
}

// build does what KustomizationReconciler.build of kustomize-controller does, decryption aside. Remote bases are the
// one thing refused: this program works offline.
func build(root string, one layer) ([]map[string]any, []string, error) {
	dir := filepath.Join(root, filepath.Clean("/"+one.Path))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("kustomization path not found: %s", one.Path)
	}
	owner := kustomization(one)
	if _, err := generator.NewGenerator(root, owner).WriteFile(dir); err != nil {
		return nil, nil, err
	}
	built, err := generator.SecureBuild(root, dir, false)
	if err != nil {
		return nil, nil, fmt.Errorf("kustomize build failed: %w", err)
	}
	variables, err := substitute(built, owner, one.Substitute != nil)
	if err != nil {
		return nil, nil, err
	}
	objects, err := maps(built)
	return objects, variables, err
}

// kustomization is the Flux object of a layer, its postBuild already looked up.
func kustomization(one layer) unstructured.Unstructured {
	spec := map[string]any{}
	for name, value := range one.Spec {
		spec[name] = value
	}
	delete(spec, "postBuild")
	if one.Substitute != nil {
		values := map[string]any{}
		for name, value := range one.Substitute {
			values[name] = value
		}
		spec["postBuild"] = map[string]any{"substitute": values}
	}
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1",
		"kind":       "Kustomization",
		"metadata":   map[string]any{"name": one.Name, "namespace": "flux-system"},
		"spec":       spec,
	}}
}

// substitute checks and fills in every object, and returns the names used without a default, sorted.
func substitute(built resmap.ResMap, owner unstructured.Unstructured, enabled bool) ([]string, error) {
	used := map[string]bool{}
	for _, object := range built.Resources() {
		if object.GetName() == "" || object.GetKind() == "" || object.GetApiVersion() == "" {
			return nil, fmt.Errorf("failed to decode Kubernetes apiVersion, kind and name from: %s", object)
		}
		if !enabled {
			continue
		}
		if err := substituteOne(object, owner, used); err != nil {
			return nil, fmt.Errorf("post build failed for '%s/%s': %w", object.GetGvk(), object.GetName(), err)
		}
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

func substituteOne(object *resource.Resource, owner unstructured.Unstructured, used map[string]bool) error {
	if disabled(object.GetLabels()) || disabled(object.GetAnnotations()) {
		return nil
	}
	text, err := object.AsYAML()
	if err != nil {
		return err
	}
	if tree, err := parse.Parse(string(text)); err == nil {
		collect(tree.Root, used)
	}
	_, err = generator.SubstituteVariables(context.Background(), nil, owner, object,
		generator.SubstituteWithDryRun(true), generator.SubstituteWithStrict(false))
	return err
}

func disabled(marks map[string]string) bool {
	return marks["kustomize.toolkit.fluxcd.io/substitute"] == generator.DisabledValue
}

func collect(node parse.Node, used map[string]bool) {
	switch found := node.(type) {
	case *parse.ListNode:
		for _, child := range found.Nodes {
			collect(child, used)
		}
	case *parse.FuncNode:
		if !defaults[found.Name] {
			used[found.Param] = true
		}
		for _, child := range found.Args {
			collect(child, used)
		}
	}
}

func maps(built resmap.ResMap) ([]map[string]any, error) {
	objects := make([]map[string]any, 0, built.Size())
	for _, object := range built.Resources() {
		one, err := object.Map()
		if err != nil {
			return nil, err
		}
		objects = append(objects, one)
	}
	return objects, nil
}
