# Brings k3s to run on this host. Idempotent: what is there already is left alone.
# K3S_CONFIG_FILE, K3S_DATA_DIR and INSTALL_K3S_BIN_DIR are k3s's own variables; a host may set them.
set -eu
umask 077
# A user who is not root needs sudo without a password.
[ "$(id -u)" = 0 ] || exec sudo -n env HOME="$HOME" sh "$0"
cd
folder=$PWD/$folder
config_file=${K3S_CONFIG_FILE:-/etc/rancher/k3s/config.yaml}
etc=$(dirname "$config_file")
data=${K3S_DATA_DIR:-/var/lib/rancher/k3s}
unit=k3s
[ "$kind" = server ] || unit=k3s-agent

# shellcheck disable=SC2154 # the settings stand in front of this file
report() {
    code=$?
    rm -rf "$folder"
    [ "$code" = 0 ] && return
    echo "blackstart: host $node: the $mode failed (exit code $code); the last lines of the journal of $unit:"
    journalctl --unit "$unit" --no-pager --lines 20 2>&1 || true
    exit "$code"
}
trap report EXIT

refuse() {
    echo "blackstart: host $node: $1" >&2
    exit 1
}

runs() { systemctl is-active --quiet "$unit" && k3s --version >/dev/null 2>&1; }
has_version() { k3s --version 2>/dev/null | grep -qF " $version "; }

# A first server that is replaced must join the others: founding again would make a second cluster beside theirs.
someone_answers() {
    for url in $others; do
        code=0
        curl --silent --insecure --max-time 5 --output /dev/null "$url/ping" || code=$?
        [ "$code" != 0 ] || return 0
        # 7: refused, no route. Any other silence proves nothing.
        [ "$code" = 7 ] || refuse "cannot tell whether a cluster runs at $url (curl: $code); start or repair that host"
    done
    return 1
}

# What `blackstart recover --etcd-snapshot` has laid on the server that founds the cluster.
snapshot=$data/blackstart-restore
restored=$data/blackstart-restored
[ "$founds" = yes ] || snapshot=/nonexistent

origin() {
    if [ -s "$snapshot" ] && someone_answers; then
        refuse "a snapshot of etcd waits here, but the cluster runs at another server; to leave it out: rm $snapshot"
    elif [ "$founds" = yes ] && { [ -d "$data/server/db" ] || ! someone_answers; }; then
        echo '"cluster-init": true,'
    elif [ "$kind" = server ]; then
        echo "\"server\": \"$endpoint\","
    fi
}

write_config() {
    mkdir -p "$etc"
    [ -s "$folder/token" ] || refuse "no token came with the $mode; run: blackstart up"
    first=$(origin)
    cp "$folder/token" "$etc/.token.new"
    mv "$etc/.token.new" "$etc/token"
    printf '{%s\n"token-file": "%s",\n%s\n' "$first" "$etc/token" "${config#?}" >"$config_file.new"
    mv "$config_file.new" "$config_file"
}

install() {
    mkdir -p "$folder"
    if [ -n "$script" ]; then
        printf '%s' "$script" >"$folder/install.sh"
    else
        curl --fail --silent --show-error --location --max-time 120 --output "$folder/install.sh" "$installer"
    fi
    INSTALL_K3S_VERSION=$version INSTALL_K3S_EXEC=$kind sh "$folder/install.sh" </dev/null
    has_version || refuse "the installer ended, but k3s is not $version: $(k3s --version 2>&1 | head -n 1)"
}

# etcd begins with the snapshot, as its only member. Killed on the way, it begins again: k3s refuses a second reset as
# long as its flag is there, and keeps the data that it finds aside.
restore() {
    [ -s "$snapshot" ] || return 0
    export INSTALL_K3S_SKIP_START=true
    install
    unset INSTALL_K3S_SKIP_START
    rm -f "$data/server/db/reset-flag"
    k3s server --cluster-reset "--cluster-reset-restore-path=$snapshot" "--token-file=$etc/token" </dev/null ||
        refuse "k3s did not restore the snapshot; was it taken with this token, and is it whole? (sha256: \
$(sha256sum "$snapshot" | cut -d ' ' -f 1))"
    mv "$snapshot" "$restored"
}

# A host that was made anew has another password than the one that the snapshot knows for its name: k3s would refuse it.
# Without its record the password that comes next is taken.
forget_passwords() {
    [ -e "$restored" ] || return 0
    left=120
    until k3s kubectl get --raw=/readyz >/dev/null 2>&1; do
        [ "$left" -gt 0 ] || refuse "the API is not ready 120 s after the snapshot was restored"
        left=$((left - 1))
        sleep 1
    done
    for one in $(k3s kubectl --namespace kube-system get secret --output name | grep '\.node-password\.k3s$'); do
        k3s kubectl --namespace kube-system delete "$one" --ignore-not-found
    done
    rm -f "$restored"
}

# An agent's unit counts as started before it has joined: its own kubelet knows.
registered() { k3s kubectl --kubeconfig "$data/agent/kubelet.kubeconfig" get node "$node" >/dev/null 2>&1; }

wait_registered() {
    left=120
    until registered; do
        systemctl is-active --quiet "$unit" || refuse "$unit does not run"
        [ "$left" -gt 0 ] || refuse "not registered after 120 s"
        left=$((left - 1))
        sleep 1
    done
}

if [ "$mode" = join ] && runs; then
    echo "host $node: k3s runs already"
elif [ "$mode" = upgrade ] && runs && has_version; then
    echo "host $node: k3s $version runs already"
else
    [ "$mode" = upgrade ] || write_config
    restore
    install
fi
forget_passwords
wait_registered
echo "host $node: joined as $kind"
