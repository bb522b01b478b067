"""The host keys that the operator has verified: terraform checks them; an unknown host stops the synth (issue 7)."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import asyncssh

from blackstart.config.model import Host, Ssh
from blackstart.errors import ConfigError

DEFAULT_PORT = 22


def host_key(root: Path, ssh: Ssh, host: Host) -> str:
    """What terraform's `host_key` needs for a host: all keys that its known_hosts file has, of hosts and of CAs.

    terraform writes the value behind the host's address into a known_hosts file of its own, so that further keys stand
    on lines of their own. Raises ConfigError for a host that the file does not know.
    """
    keys, authorities = _known(root, ssh, host)
    where = f"{host.address}:{host.port}"
    if not keys and not authorities:
        flag = f"-p {host.port} " if host.port != DEFAULT_PORT else ""
        raise ConfigError(
            f"{ssh.known_hosts} knows no key of host {host.name} ({where}): an unknown host is never accepted",
            hint=f"ssh-keyscan {flag}{host.address} > new; compare `ssh-keygen -lf new` with what the host's console "
            f"shows (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); then: cat new >> {ssh.known_hosts}",
        )
    marked = [f"{where} {key}" for key in keys] + [f"@cert-authority {where} {key}" for key in authorities]
    return "\n".join([(keys or authorities)[0], *marked[1:]])


def known_hosts(root: Path, ssh: Ssh) -> Path:
    """The file that `ssh.known_hosts` names; a relative one lies in the repository."""
    return root / Path(ssh.known_hosts).expanduser()


def _known(root: Path, ssh: Ssh, host: Host) -> tuple[list[str], list[str]]:
    path = known_hosts(root, ssh)
    try:
        port = host.port if host.port != DEFAULT_PORT else None
        found = asyncssh.match_known_hosts(str(path), host.address, _number(host.address), port)
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {ssh.known_hosts}: {error}", hint="edit cluster.ssh.known_hosts") from None
    keys, authorities, revoked = ([_text(key) for key in part] for part in found[:3])
    good = [[key for key in dict.fromkeys(part) if key not in revoked] for part in (keys, authorities)]
    return good[0], good[1]


def _number(address: str) -> str:
    """The address where it is one, blank for a name."""
    try:
        return str(ip_address(address))
    except ValueError:
        return ""


def _text(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key("openssh").decode().split()[:2])
