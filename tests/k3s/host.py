"""One "host" of the test bed: a folder, and an sshd on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"

Entry = dict[str, object]


@dataclass
class Host:
    """One "host": its folder, its port, its sshd."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    node: str = ""

    @property
    def name(self) -> str:
        """Of the node; the folder's unless the host takes another one's place."""
        return self.node or self.folder.name

    @property
    def entry(self) -> Entry:
        """As it stands in the cluster file."""
        return {"name": self.name, "address": "127.0.0.1", "port": self.port}

    @property
    def public_keys(self) -> list[str]:
        return [path.read_text().strip() for path in sorted(self.folder.glob("host_*.pub"))]

    def start(self) -> None:
        """Its sshd, until the port answers."""
        log = (self.folder / "sshd.log").open("ab")
        argv = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        (self.folder / "sshd.pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "sshd.log").read_text()
            if "Server listening" in (self.folder / "sshd.log").read_text():
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.name}: sshd does not listen\n{(self.folder / 'sshd.log').read_text()}")

    @property
    def runs(self) -> str:
        """The unit that is active: `k3s`, `k3s-agent` or nothing."""
        unit = self.folder / "unit"
        return unit.read_text() if unit.exists() else ""

    def wipe(self) -> None:
        """A new machine: nothing is installed, nothing is kept but its host keys."""
        for name in ("etc", "data"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()
        left = [self.folder / name for name in ("unit", "version", "journal", "fault", "refused")]
        for path in (*left, *(self.folder / "bin").glob("k3s*")):
            path.unlink(missing_ok=True)

    def stop(self) -> None:
        """The host is gone: nothing listens any more. What it keeps stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            (self.folder / "sshd.log").unlink()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """For a while the host lets everybody connect, and says nothing."""
        self.stop()
        with socket.create_server(("127.0.0.1", self.port)):
            yield
        self.start()

    def fail(self, how: str) -> None:
        """The next installation fails: `before` it begins, `half` way, `dies` after it with the host's sshd, or `hangs`
        until the fault is mended."""
        (self.folder / "fault").write_text(how)

    def mend(self) -> None:
        (self.folder / "fault").unlink()
