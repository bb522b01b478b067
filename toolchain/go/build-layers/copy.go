package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
)

// copyArtifact copies what source-controller would put into the artifact of a checkout: regular files, less what
// .sourceignore and its defaults exclude. Symbolic links are not followed and not copied.
func copyArtifact(from, to string) error {
	domain := strings.Split(from, string(filepath.Separator))
	patterns, err := sourceignore.LoadIgnorePatterns(from, domain)
	if err != nil {
		return err
	}
	ignored := sourceignore.NewDefaultMatcher(patterns, domain)
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if ignored.Match(strings.Split(path, string(filepath.Separator)), entry.IsDir()) {
			return nil
		}
		return copyEntry(path, filepath.Join(to, strings.TrimPrefix(path, from)), entry)
	})
}

func copyEntry(from, to string, entry fs.DirEntry) error {
	if entry.IsDir() {
		return os.MkdirAll(to, 0o700)
	}
	if !entry.Type().IsRegular() {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
