"""The door to git: which commit is deployed, what Flux sees of it, what the remote has."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackstart.config.workspace import make_private, write_private
from blackstart.errors import ConfigError, ToolFailed
from blackstart.tools.process import Command, Completed, hide, run
from blackstart.tools.sourceignore import left_out

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "LC_ALL": "C",
}
RAW_BYTES = "* -text -eol -ident -filter -working-tree-encoding\n"
REMOTE_TIMEOUT = 20.0
NO_REASONS = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)
"""What git says last of every ssh remote, whatever the reason was."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its full id and the first line of its message."""

    sha: str
    subject: str

    @property
    def short(self) -> str:
        """The first seven digits."""
        return self.sha[:7]


class Git:
    """The repository whose top folder is `root`; nothing here ever writes into it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def is_repository(self) -> bool:
        """Whether `root` is the top folder of a work tree (a linked one too)."""
        done = self._git("rev-parse", "--show-toplevel", check=False)
        return done.code == 0 and Path(done.stdout.rstrip("\n")).resolve() == self._root.resolve()

    def origin(self) -> str:
        """The URL of the remote `origin`, blank when there is none."""
        return self._git("config", "--get", "remote.origin.url", check=False).stdout.strip()

    def head(self) -> Commit:
        """The commit that is checked out. Raises ConfigError as `resolve` does."""
        return self.resolve("HEAD")

    def resolve(self, ref: str) -> Commit:
        """The commit that `ref` names. Raises ConfigError: not a repository, no commits, unknown ref."""
        wanted = (
            "log",
            "-1",
            "--no-show-signature",
            "--format=%H%n%s",
            "--end-of-options",
            f"{ref}^{{commit}}",
            "--",
        )
        done = self._git(*wanted, check=False)
        if done.code == 0:
            sha, _, subject = done.stdout.partition("\n")
            return Commit(sha, subject.rstrip("\n"))
        raise self._unresolved(ref, done)

    def dirty(self) -> bool:
        """Whether something in the work tree is not committed: Flux reads commits alone."""
        return bool(self._git("status", "--porcelain", "--untracked-files=normal").stdout)

    def path_exists(self, commit: Commit, path: str) -> bool:
        """Whether `path` is a file or a folder in `commit`."""
        name = path.removeprefix("./").strip("/")
        return self._git("cat-file", "-e", f"{commit.sha}:{name}", check=False).code == 0

    def require_path(self, commit: Commit, path: str) -> None:
        """Raises ConfigError when `path` does not exist at `commit`."""
        if not self.path_exists(commit, path):
            raise ConfigError(
                f"git.path: {path} does not exist at commit {commit.short}",
                hint=f"commit it: git add {path} && git commit; or correct git.path in the cluster file",
            )

    def knows(self, sha: str) -> bool:
        """Whether the commit with this id is in the repository."""
        return self._git("cat-file", "-e", f"{sha}^{{commit}}", check=False).code == 0

    def read(self, commit: Commit, path: str) -> str | None:
        """The text of a file at a commit, or None when it has none; undecodable bytes are replaced."""
        done = self._git("cat-file", "blob", f"{commit.sha}:{path}", check=False)
        return done.stdout if done.code == 0 else None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the commit `new` holds `old` in its history (ids; an unknown id holds nothing)."""
        return self._git("merge-base", "--is-ancestor", old, new, check=False).code == 0

    def publish(self, commit: Commit, bare: Path, branch: str) -> None:
        """Make `commit` the head of `branch` in the repository `bare`, from which Flux clones.

        The bare side fetches: `root` is only read, may be shallow, detached or a linked worktree.
        """
        if not (bare / "HEAD").is_file():
            make_private(bare)
            self._at(bare, "init", "--quiet", "--bare", "--template=")
            self._at(bare, "config", "http.receivepack", "false")
        reader = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
        wanted = ("--quiet", "--no-tags", "--update-shallow", f"--upload-pack={reader}")
        target = f"refs/heads/{branch}"
        self._at(bare, "fetch", *wanted, str(self._common()), f"+{commit.sha}:{target}")
        self._at(bare, "symbolic-ref", "HEAD", target)

    def export(self, commit: Commit, into: Path) -> frozenset[str]:
        """Write what Flux sees of `commit` into the folder `into`; returns the paths that Flux leaves out.

        Bytes are those of the commit: attributes and filters of Git do not apply, as in Flux.
        """
        make_private(into)
        with tempfile.TemporaryDirectory(prefix="blackstart-git-") as name:
            scratch = self._scratch(Path(name))
            self._at(scratch, "read-tree", commit.sha)
            self._at(scratch, f"--work-tree={into}", "checkout-index", "--all", "--force")
            listed = self._at(scratch, "ls-files", "--stage", "-z").stdout
        entries = [entry.partition("\t") for entry in listed.split("\0") if entry]
        files = {path: meta.startswith("100") for meta, _, path in entries}
        hidden = left_out(into, [path for path, regular in files.items() if regular])
        hidden |= {path for path, regular in files.items() if not regular}
        for path in hidden:
            (into / path).unlink(missing_ok=True)
        return frozenset(hidden)

    def remote_head(self, url: str, branch: str, env: Mapping[str, str] | None = None) -> str:
        """The commit id that `branch` has at the remote `url`; `env` comes from `credentials_environment`.

        Raises ToolFailed when the remote does not answer or refuses, ConfigError when it has no such branch.
        """
        command = Command(
            ("git", "ls-remote", "--", url, f"refs/heads/{branch}"),
            env={**ENVIRONMENT, **(env or {})},
            timeout=REMOTE_TIMEOUT,
        )
        done = run(command, check=False)
        if done.code != 0:
            reasons = [line for line in done.tail.splitlines() if line.strip() and line not in NO_REASONS]
            said = "no answer" if done.code == 124 else (reasons or ["no reason given"])[-1]
            raise ToolFailed(f"cannot read {url}: {said}", hint="check git.url, git.auth and the network")
        if not done.stdout.strip():
            raise ConfigError(f"{url} has no branch {branch}", hint=f"git push {url} HEAD:{branch}")
        return done.stdout.split()[0]

    def _scratch(self, folder: Path) -> Path:
        """A throwaway bare repository that borrows the objects of `root`."""
        self._at(folder, "init", "--quiet", "--bare", "--template=")
        (folder / "info").mkdir(exist_ok=True)
        (folder / "info" / "attributes").write_text(RAW_BYTES)
        (folder / "objects" / "info" / "alternates").write_text(f"{self._common() / 'objects'}\n")
        return folder

    def _common(self) -> Path:
        shown = self._git("rev-parse", "--git-common-dir").stdout.rstrip("\n")
        return (self._root / shown).resolve()

    def _unresolved(self, ref: str, done: Completed) -> ConfigError:
        if "dubious ownership" in done.stderr:
            return ConfigError(
                f"{self._root} belongs to another user: git refuses to read it",
                hint=f"git config --global --add safe.directory {self._root}",
            )
        if self._git("rev-parse", "--git-dir", check=False).code != 0:
            return ConfigError(f"{self._root} is not a Git repository", hint="git init && git commit")
        if self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False).code != 0:
            return ConfigError("the Git repository has no commits: Flux reads commits", hint="git add -A && git commit")
        return ConfigError(f"Git knows no commit {ref}", hint="git log --oneline --all shows what there is")

    def _git(self, *words: str, check: bool = True) -> Completed:
        return run(Command(("git", "-C", str(self._root), *words), env=ENVIRONMENT), check=check)

    def _at(self, bare: Path, *words: str) -> Completed:
        return run(Command(("git", f"--git-dir={bare}", *words), env=ENVIRONMENT))


@contextmanager
def credentials_environment(credentials: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What `remote_head` needs to log in with the data of the Secret that Flux gets (username and password, or
    identity and known_hosts); a private key lies in a private temporary folder meanwhile, never in argv."""
    if "identity" in credentials:
        with tempfile.TemporaryDirectory(prefix="blackstart-ssh-") as name:
            identity, hosts = Path(name, "identity"), Path(name, "known_hosts")
            write_private(identity, credentials["identity"].rstrip("\n") + "\n")
            write_private(hosts, credentials.get("known_hosts", ""))
            strict = f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={hosts} -o GlobalKnownHostsFile=/dev/null"
            yield {"GIT_SSH_COMMAND": f"ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -i {identity} {strict}"}
    elif "password" in credentials:
        pair = f"{credentials.get('username', 'git')}:{credentials['password']}"
        coded = base64.b64encode(pair.encode()).decode()
        hide(coded)
        yield {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {coded}",
        }
    else:
        yield {}
