"""The cluster that TF_CONFIG describes, read and checked before TensorFlow sees it."""

import json
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cluster:
    """The workers of a training job, and which of them this process is.

    Args:
        workers: The addresses (`host:port`) of the workers, the chief first.
        index: The place of this process among them.
    """

    workers: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the first worker, which writes for all."""
        return self.index == 0


def read_cluster() -> Cluster | None:
    """Read the cluster from the environment variable TF_CONFIG.

    Returns:
        The cluster, or `None` where TF_CONFIG is not set or names no cluster.

    Raises:
        ValueError: TF_CONFIG is set, and is not what `MultiWorkerMirroredStrategy` takes.

    Example:

    >>> import os
    >>> from kblocks.distribute import read_cluster
    >>> os.environ["TF_CONFIG"] = (
    ...     '{"cluster": {"worker": ["a:1234", "b:1234"]}, "task": {"type": "worker", "index": 1}}'
    ... )
    >>> read_cluster()
    Cluster(workers=('a:1234', 'b:1234'), index=1)
    >>> del os.environ["TF_CONFIG"]
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"TF_CONFIG must be JSON, but {error}: {text!r}.") from None
    if not isinstance(config, dict):
        raise ValueError(f"TF_CONFIG must be a JSON object, but it is {text}.")
    jobs = config.get("cluster", {})
    if not isinstance(jobs, dict) or not set(jobs) <= {"chief", "worker"}:
        raise ValueError(
            "TF_CONFIG must have under `cluster` lists of addresses for `worker` and at most "
            f"`chief`, but it has {jobs!r}."
        )
    if not jobs:
        return None
    for job, addresses in jobs.items():
        _check_addresses(job, addresses)
    chiefs = jobs.get("chief", [])
    if len(chiefs) > 1:
        raise ValueError(f"TF_CONFIG must name at most one `chief`, but it names {len(chiefs)}.")
    return Cluster(
        workers=(*chiefs, *jobs.get("worker", [])), index=_place(config.get("task"), jobs)
    )


def is_chief() -> bool:
    """Whether this process writes logs, checkpoints and results: the first worker, or the only one.

    Returns:
        True in a process without TF_CONFIG, and in one worker of a cluster.

    Raises:
        ValueError: TF_CONFIG is malformed.

    Example:

    >>> from kblocks.distribute import is_chief
    >>> is_chief()
    True
    """
    cluster = read_cluster()
    return cluster is None or cluster.is_chief


def _check_addresses(job: str, addresses: Any) -> None:
    if not isinstance(addresses, list) or not addresses:
        raise ValueError(
            f"TF_CONFIG must have a list of addresses for {job!r}, but it has {addresses!r}."
        )
    for address in addresses:
        port = address.rpartition(":")[2] if isinstance(address, str) else ""
        if not port.isdigit():
            raise ValueError(
                f"TF_CONFIG must give each {job!r} as host:port, but it has {address!r}."
            )


def _place(task: Any, jobs: dict[str, list[str]]) -> int:
    if not isinstance(task, dict) or task.get("type") not in jobs:
        raise ValueError(
            f"TF_CONFIG must have a `task` with a type out of {sorted(jobs)}, but it has {task!r}."
        )
    job, index = task["type"], task.get("index", 0)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(jobs[job]):
        raise ValueError(
            f"TF_CONFIG must have a `task` with an index from 0 to {len(jobs[job]) - 1} for "
            f"{job!r}, but the index is {index!r}."
        )
    return index + (len(jobs.get("chief", [])) if job == "worker" else 0)
