"""Contenders timed in turns, so that whatever else the machine does falls on all of them alike."""

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"

SAMPLE_SECONDS = 0.02  # a sample repeats a short call until it has lasted about this long
BUDGET_SECONDS = 60.0  # of all contenders together; at least three rounds are run
REST_SECONDS = 0.01  # between samples, for the threads of the contender before to go to sleep

Times = dict[str, list[float]]


def interleaved(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> Times:
    """Seconds per call, one sample of each contender per round, another one first each time.

    Where a round takes long, there are as many as fit into a minute, but three at least.
    """
    repeats, a_round = {}, 0.0
    for name, call in contenders.items():
        call()  # tracing, compiling
        started = time.perf_counter()
        call()
        seconds = time.perf_counter() - started
        repeats[name] = max(1, min(100, round(SAMPLE_SECONDS / seconds)))
        a_round += repeats[name] * seconds
    rounds = min(rounds, max(3, int(BUDGET_SECONDS / a_round)))
    times: Times = {name: [] for name in contenders}
    names = list(contenders)
    for _ in range(rounds):
        names.append(names.pop(0))
        for name in names:
            time.sleep(REST_SECONDS)
            started = time.perf_counter()
            for _ in range(repeats[name]):
                contenders[name]()
            times[name].append((time.perf_counter() - started) / repeats[name])
    return times


def milliseconds(times: Times) -> dict[str, float]:
    """The median of each contender."""
    return {name: round(1000 * statistics.median(t), 3) for name, t in times.items()}


def speed(times: Times, of: str, against: str) -> float:
    """How many times as fast: the median over the rounds, each compared within itself."""
    pairs = zip(times[of], times[against], strict=True)
    return round(statistics.median(theirs / ours for ours, theirs in pairs), 3)


def geometric_mean(values: Sequence[float]) -> float:
    """The mean of ratios."""
    return round(math.exp(statistics.fmean(map(math.log, values))), 3)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows in Markdown, their keys as the heading."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """What the figures were measured on."""
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "processor": platform.machine(), "versions": versions}


def write(name: str, result: Mapping[str, Any]) -> Path:
    """Write `results/bench_NAME.json`."""
    path = RESULTS / f"bench_{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path
