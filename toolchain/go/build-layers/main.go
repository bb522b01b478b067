// Command build-layers renders the layers of a checkout as kustomize-controller would, without a cluster.
//
// It reads one request from stdin and prints one answer to stdout:
//
//	{"root": DIR, "layers": [{"name", "path", "spec": {…}, "substitute": {"name": "value"} or null}]}
//	{"layers": [{"name", "objects": […], "variables": […], "error": "…" or null}]}
//
// `spec` is the spec of the Flux Kustomization (patches, targetNamespace, …; may be absent), `substitute` what its
// postBuild comes to once substituteFrom is looked up: null says that it has no postBuild. `variables` are the names
// that the layer uses without a default. An encrypted Secret is built as it is. An error of one layer is told in that
// layer; a request that cannot be read ends with exit code 2.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type request struct {
	Root   string  `json:"root"`
	Layers []layer `json:"layers"`
}

type layer struct {
	Name       string            `json:"name"`
	Path       string            `json:"path"`
	Spec       map[string]any    `json:"spec"`
	Substitute map[string]string `json:"substitute"`
}

type rendered struct {
	Name      string           `json:"name"`
	Objects   []map[string]any `json:"objects"`
	Variables []string         `json:"variables"`
	Error     *string          `json:"error"`
}

func main() {
	answer, err := answerTo(os.Stdin)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "build-layers: %v\n", err)
		os.Exit(2)
	}
}

func answerTo(stdin *os.File) (map[string][]rendered, error) {
	var asked request
	decoder := json.NewDecoder(stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return nil, fmt.Errorf("the request is not valid: %w", err)
	}
	root, err := filepath.Abs(asked.Root)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("the root %q is not a folder", asked.Root)
	}
	results := make([]rendered, 0, len(asked.Layers))
	for _, one := range asked.Layers {
		results = append(results, render(root, one))
	}
	return map[string][]rendered{"layers": results}, nil
}

// render gives every layer a copy of its own: the generator writes into it, as it writes into the controller's.
func render(root string, one layer) rendered {
	result := rendered{Name: one.Name, Objects: []map[string]any{}, Variables: []string{}}
	objects, variables, err := renderCopy(root, one)
	if err != nil {
		message := err.Error()
		result.Error = &message
		return result
	}
	result.Objects, result.Variables = objects, variables
	return result
}

func renderCopy(root string, one layer) ([]map[string]any, []string, error) {
	dir, err := os.MkdirTemp("", "build-layers-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	if err := copyArtifact(root, dir); err != nil {
		return nil, nil, err
	}
	objects, variables, err := build(dir, one)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	}
	return objects, variables, err
}
