"""Files of a folder that may be packed."""

from pathlib import Path


def find_file(folder: str | Path, name: str) -> Path | None:
    """The file of a name, or else of the name with `.gz`; `None` if there is neither."""
    paths = Path(folder) / name, Path(folder) / f"{name}.gz"
    return next((path for path in paths if path.exists()), None)


def need_file(folder: str | Path, name: str) -> Path:
    """The file of a name, or else of the name with `.gz`.

    Raises:
        ValueError: There is neither.
    """
    path = find_file(folder, name)
    if path is None:
        raise ValueError(f"{folder} has neither {name} nor {name}.gz.")
    return path
