"""Starts the command `kblocks` without the notes that TensorFlow prints while it is imported.

They come before any setting of TensorFlow counts, and from inside `import kblocks`: so this module
stands beside the package. With `--debug`, or with a TF_CPP_MIN_LOG_LEVEL of one's own, they stay.
"""

import contextlib
import os
import sys
from collections.abc import Iterator


def main() -> None:
    """Import the command, quietly, and run it."""
    with without_notes():
        from kblocks import cli
    cli.main()


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """The process's stderr, that of TensorFlow's C++ included, goes nowhere during an import."""
    if "--debug" in sys.argv or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # for what comes after the import
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
