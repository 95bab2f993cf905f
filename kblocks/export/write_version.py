"""A new version of a served model: whole or not at all, and never over another one."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

_DRAFT = "writing-{}.tmp"  # no integer, so TensorFlow Serving passes over it


def write_version(directory: Path, version: int | None, write: Callable[[Path], None]) -> Path:
    """Write into a new directory beside the versions, then give it its number.

    A draft that an interrupted export left behind is removed; one that another process is
    writing is not.

    Args:
        directory: Where the versions are; made if it is missing.
        version: The number; `None` is one more than the highest.
        write: Called with an existing, empty directory to fill.

    Returns:
        `directory / str(version)`, which is on the disk when this returns.

    Raises:
        ValueError: `version` is not a positive int or is there already, or `directory` is a file.
    """
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise ValueError(f"`version` must be a positive int, got {version!r}.")
    if version is not None and version < 1:
        raise ValueError(f"`version` must be a positive int, got {version}.")
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"`directory` must be a directory, and {directory} is a file.")
    directory.mkdir(parents=True, exist_ok=True)
    _free(directory, version)
    with _draft(directory) as draft:
        write(draft)
        _to_disk(draft)
        with _locked(directory):
            target = directory / str(_free(directory, version))
            draft.rename(target)
    _sync(directory)
    return target


def _free(directory: Path, version: int | None) -> int:
    """The version if it is free, or the next one."""
    # 00000123 is version 123 to TensorFlow Serving.
    names = [path.name for path in directory.iterdir()]
    taken = {int(name) for name in names if name.isascii() and name.isdecimal()}
    if version is None:
        return max(taken, default=0) + 1
    if version in taken:
        raise ValueError(
            f"`version` {version} is in {directory} already, and a version is never overwritten; "
            f"the next free one is {max(taken) + 1}."
        )
    return version


@contextlib.contextmanager
def _draft(directory: Path) -> Iterator[Path]:
    """A new directory with its lock held; gone at the end, unless it was renamed."""
    with contextlib.ExitStack() as stack:
        with _locked(directory):
            for left in directory.glob(_DRAFT.format("*")):
                with _locked(left, wait=False) as ours:
                    if ours:
                        shutil.rmtree(left, ignore_errors=True)
            path = directory / _DRAFT.format(secrets.token_hex(4))
            path.mkdir()  # with the permissions that the user's umask gives, unlike mkdtemp's
            stack.callback(shutil.rmtree, path, ignore_errors=True)
            stack.enter_context(_locked(path))
        yield path


@contextlib.contextmanager
def _locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a directory; says whether it was had. The system frees a dead process's."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            had = True
        except OSError:  # another has it, or the file system has no locks
            had = False
        yield had
    finally:
        os.close(descriptor)


def _to_disk(path: Path) -> None:
    """Wait until all files below are on the disk: a rename must not come before its content."""
    for folder, _, files in os.walk(path):
        for file in files:
            _sync(Path(folder) / file)
        _sync(Path(folder))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
