"""Write tutorials/notebooks/*.ipynb from tutorials/*.py, without outputs: `make notebooks`."""

import sys
from pathlib import Path

import jupytext
import nbformat

TUTORIALS = Path(__file__).resolve().parents[1] / "tutorials"


def notebook_path(script: Path) -> Path:
    """Where the notebook of a script stands."""
    return script.parent / "notebooks" / f"{script.stem}.ipynb"


def notebook(script: Path) -> str:
    """A script's notebook as JSON; the same script always gives the same text."""
    made = jupytext.read(script, fmt="py:percent")
    made.metadata = {
        "kernelspec": made.metadata["kernelspec"],
        "language_info": {"name": "python"},
        "colab": {"name": f"{script.stem}.ipynb"},
    }
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # nbformat draws it at random
        cell.metadata = {}
    return nbformat.writes(made, version=4) + "\n"


def scripts() -> list[Path]:
    """The tutorials, in their order."""
    return sorted(TUTORIALS.glob("[0-9]_*.py"))


def main() -> None:
    """Write the notebooks, and remove those without a script."""
    kept = {notebook_path(script) for script in scripts()}
    for path in (TUTORIALS / "notebooks").glob("*.ipynb"):
        if path not in kept:
            path.unlink()
    for script in scripts():
        path = notebook_path(script)
        path.parent.mkdir(exist_ok=True)
        path.write_text(notebook(script), encoding="utf-8")
        print(path.relative_to(TUTORIALS.parent), file=sys.stderr)


if __name__ == "__main__":
    main()
