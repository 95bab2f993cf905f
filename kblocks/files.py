"""Files that users bring: packed or not, damaged or not, of which an error names what is wrong."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, cast

MIB = 1 << 20
LARGEST_JSON = 64 * MIB  # of a checkpoint or a vocabulary; a tokenizer of 250,000 pieces has 17 MB


def find_file(folder: str | Path, name: str) -> Path | None:
    """The file of a name, or else of the name with `.gz`; `None` if there is neither."""
    paths = Path(folder) / name, Path(folder) / f"{name}.gz"
    return next((path for path in paths if path.is_file()), None)


def need_file(folder: str | Path, name: str) -> Path:
    """The file of a name, or else of the name with `.gz`.

    Raises:
        ValueError: There is neither.
    """
    path = find_file(folder, name)
    if path is None:
        raise ValueError(f"{folder} has neither {name} nor {name}.gz.")
    return path


def read_text(path: str | Path, largest: int | None = None) -> str:
    """A whole UTF-8 text, its line ends as they stand; a byte order mark is no text.

    Args:
        path: The file; a name that ends in `.gz` is read through gzip.
        largest: The most bytes, unpacked; no limit by default.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is not UTF-8 (names the line), larger, or its gzip data are damaged.
    """
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with cast(Any, opener)(path, "rb") as file:
            content = file.read() if largest is None else file.read(largest + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged gzip data: {error}.") from error
    if largest is not None and len(content) > largest:
        raise ValueError(f"{path}: larger than {largest // MIB} MiB, too large for its kind.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}:{line}: the line is not UTF-8; convert the file to UTF-8."
        ) from error


def read_json(path: str | Path, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """The object of a JSON file, packed or not.

    Args:
        path: The file.
        largest: The most bytes, unpacked.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is no JSON (names the line) or no object, is nested too deeply or too large,
            is not UTF-8, or its gzip data are damaged.
    """
    text = read_text(path, largest)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: no JSON: {error.msg}.") from error
    except RecursionError as error:
        raise ValueError(f"{path}: its JSON is nested too deeply.") from error
    except ValueError as error:  # a number of thousands of digits
        raise ValueError(f"{path}: no JSON that can be read: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content
