"""A real S3 server on loopback (SeaweedFS, from its Python package).

It checks signatures and knows conditional writes, which terraform's lock files need.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from blackstart.embedded.ports import choose

USER = "operator"
BUCKET = "states"
PORTS = tuple(f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc"))
BEGIN = 60.0
"""Seconds in which the server must answer."""


@dataclass(frozen=True)
class Bucket:
    """The bucket of the server: by S3 at `port`, and as plain files at `files`."""

    port: int
    files: str
    password: str = field(repr=False)

    @property
    def settings(self) -> dict[str, object]:
        """Terraform's settings, as for any store that is not AWS."""
        skipped = ("credentials_validation", "requesting_account_id", "metadata_api_check", "region_validation")
        return {
            "bucket": BUCKET,
            "region": "us-east-1",
            "endpoints": {"s3": f"http://127.0.0.1:{self.port}"},
            "use_path_style": True,
            "use_lockfile": True,
            "max_retries": 2,
            **{f"skip_{name}": True for name in skipped},
        }

    @property
    def section(self) -> str:
        """The part of a cluster file that keeps the states here."""
        return f"state: {json.dumps({'backend': 's3', 's3': self.settings})}\n"

    @property
    def variables(self) -> dict[str, str]:
        """The credentials, as terraform reads them."""
        return {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": self.password}

    def read(self, key: str) -> str:
        """An object; blank when there is none."""
        answer = httpx2.get(f"{self.files}/{key}")
        return answer.text if answer.status_code == 200 else ""

    def write(self, key: str, text: str) -> None:
        """Put an object there, past S3."""
        httpx2.post(f"{self.files}/{key}", files={"file": text.encode()}).raise_for_status()

    def serial(self, key: str) -> tuple[str, int]:
        """Lineage and serial of a state."""
        state = json.loads(self.read(key))
        return state["lineage"], state["serial"]


@contextmanager
def serve(folder: Path) -> Iterator[Bucket]:
    """The server with its data in `folder`, and an empty bucket in it. Its telemetry is off."""
    password = secrets.token_urlsafe(24)
    who = {"name": USER, "credentials": [{"accessKey": USER, "secretKey": password}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [who]}))
    ports = dict(zip(PORTS, choose(str(folder)).values(), strict=False))
    flags = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 8,
        "s3.config": folder / "s3.json",
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        **ports,
    }
    weed = str(Path(sys.executable).with_name("weed"))
    argv = [weed, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in flags.items())]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        files = f"http://127.0.0.1:{ports['filer.port']}/buckets/{BUCKET}"
        yield _answering(Bucket(ports["s3.port"], files, password), folder / "log")
    finally:
        server.send_signal(signal.SIGKILL)  # asked politely it takes ten seconds to say goodbye
        server.wait()
        for port in ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)


def _answering(bucket: Bucket, log: Path) -> Bucket:
    deadline = time.monotonic() + BEGIN
    while time.monotonic() < deadline:
        try:
            bucket.write("begun", "yes")
            httpx2.get(f"http://127.0.0.1:{bucket.port}/")
            return bucket
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"the S3 server does not answer: {log.read_text()[-2000:]}")
