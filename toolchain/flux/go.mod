// Only its files are read: config/data/flux/v*/ holds the manifests of every Flux release.
module blackstart/toolchain/flux

go 1.24.0

require github.com/controlplaneio-fluxcd/flux-operator v0.58.0
