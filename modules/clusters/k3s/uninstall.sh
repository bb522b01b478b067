# k3s's own uninstaller; a host without it has nothing of k3s.
set -eu
[ "$(id -u)" = 0 ] || exec sudo -n sh "$0"
program=$(command -v "$uninstaller" || true)
[ -z "$program" ] || "$program"
config_file=${K3S_CONFIG_FILE:-/etc/rancher/k3s/config.yaml}
rm -f "$(dirname "$config_file")/token" "$config_file"
