"""Two workers, each a process on this machine, train as one process does."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.distribute import job

SECONDS = 480  # at most; on two idle cores it is a twentieth


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def run_workers(count: int, directory: Path) -> list[dict[str, np.ndarray]]:
    """What each worker wrote. They need not end by themselves: TensorFlow can take its time."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes, logs = [], [directory / f"log{index}" for index in range(count)]
    try:
        for index in range(count):
            task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            with logs[index].open("w") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.distribute.job", str(directory)],
                        cwd=Path(__file__).parents[2],
                        env={**os.environ, "TF_CONFIG": json.dumps(task)},
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        results = [directory / f"worker{index}.npz" for index in range(count)]
        end = time.monotonic() + SECONDS
        while not all(result.exists() for result in results):
            failed = any(process.poll() for process in processes)
            if failed or time.monotonic() > end:
                pytest.fail("\n".join(log.read_text()[-4000:] for log in logs))
            time.sleep(0.2)
        return [dict(np.load(result)) for result in results]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
def test_two_workers_train_as_one_process(tmp_path: Path) -> None:
    model, alone = job.train("single")
    chief, other = run_workers(2, tmp_path)
    assert alone["steps"] == 8
    assert alone["loss"][1] < alone["loss"][0]
    for name, expected in alone.items():
        np.testing.assert_array_equal(chief[name], other[name], err_msg=name)
        np.testing.assert_allclose(chief[name], expected, rtol=2e-5, atol=2e-6, err_msg=name)

    saved = keras.saving.load_model(tmp_path / "model.keras")
    inputs, _ = job.sentences()
    np.testing.assert_allclose(saved(inputs), model(inputs), rtol=2e-5, atol=2e-6)
