# Takes a node out of the cluster; run on servers that stay. Deleting a server's node also ends its etcd membership.
[ "$(id -u)" = 0 ] || exec sudo -n sh "$0"
known=$(k3s kubectl get node "$node" --ignore-not-found --output name) || exit 1
[ -n "$known" ] || exit 0
k3s kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --force --timeout=60s
k3s kubectl delete node "$node" --ignore-not-found
