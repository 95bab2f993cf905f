"""`python -m benchmarks [NAME ...]`: run the benchmarks named, or all of them."""

import importlib
import sys

NAMES = (
    "adam",
    "bert",
    "decoding",
    "generation",
    "graph_lstm",
    "lstm",
    "lstm_2d",
    "transformer_encoder",
    "tree_lstm",
)


def main() -> int:
    names = sys.argv[1:] or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main([])
    return 0


if __name__ == "__main__":
    sys.exit(main())
