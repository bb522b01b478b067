# Until the API is ready and every node has registered.
set -eu
[ "$(id -u)" = 0 ] || exec sudo -n sh "$0"

missing() {
    k3s kubectl get --raw=/readyz >/dev/null 2>&1 || { echo "the API"; return; }
    for one in $nodes; do
        k3s kubectl get node "$one" >/dev/null 2>&1 || echo "node $one"
    done
}

left=$seconds
while lacks=$(missing) && [ -n "$lacks" ]; do
    if [ "$left" -le 0 ]; then
        echo "blackstart: not there after $seconds s:" $lacks
        exit 1
    fi
    left=$((left - 1))
    sleep 1
done
