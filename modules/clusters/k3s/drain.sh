# Drains a node before k3s is installed anew on it; one that has the version, or never joined, is left alone.
set -eu
[ "$(id -u)" = 0 ] || exec sudo -n sh "$0"

known=$(k3s kubectl get node "$node" --ignore-not-found -o 'jsonpath={.status.nodeInfo.kubeletVersion}')
if [ -z "$known" ] || [ "$known" = "$version" ]; then
    exit 0
fi
echo "node $node: $known is to become $version"
if ! k3s kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=300s; then
    k3s kubectl uncordon "$node" || true
    echo "blackstart: node $node cannot be drained: see above which pod stays; it is in use again, nothing was upgraded"
    exit 1
fi
