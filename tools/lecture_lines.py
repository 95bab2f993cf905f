"""Write the line numbers of docs/lecture.md anew: `make tables`.

A link [`label`](../file.py#L12) leads to what the label names: a function or class, a method as
`Class.method`, or a whole line of code.
"""

import ast
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
LINK = re.compile(r"\[`(?P<label>[^`]+)`\]\((?P<path>[^)#]+)#L(?P<line>\d+)\)")


def line_of(label: str, path: Path) -> int:
    """The line in a file that a label names.

    Raises:
        ValueError: The file has no such line, or several.
    """
    code = path.read_text(encoding="utf-8")
    found = _definitions(ast.parse(code)).get(label)
    if found is not None:
        return found
    lines = [n for n, line in enumerate(code.splitlines(), 1) if line.strip() == label]
    if len(lines) != 1:
        raise ValueError(f"{path} has {len(lines)} definitions or lines {label!r}, expected one.")
    return lines[0]


def _definitions(tree: ast.Module) -> dict[str, int]:
    """Where functions and classes, and the methods of these, are defined."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = {node.name: node.lineno for node in tree.body if isinstance(node, kinds)}
    for outer in tree.body:
        if isinstance(outer, ast.ClassDef):
            for node in outer.body:
                if isinstance(node, kinds):
                    found[f"{outer.name}.{node.name}"] = node.lineno
    return found


def with_lines(text: str) -> str:
    """The document's text with every line number as the files have it now."""

    def link(match: re.Match[str]) -> str:
        label, path = match["label"], match["path"]
        return f"[`{label}`]({path}#L{line_of(label, DOCS / path)})"

    return LINK.sub(link, text)


def main() -> None:
    """Write docs/lecture.md where it changes."""
    path = DOCS / "lecture.md"
    before = path.read_text(encoding="utf-8")
    after = with_lines(before)
    if after != before:
        path.write_text(after, encoding="utf-8")
    print("docs/lecture.md: " + ("written" if after != before else "in step"), file=sys.stderr)


if __name__ == "__main__":
    main()
