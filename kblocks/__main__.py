"""`python -m kblocks` is the command `kblocks`."""

from kblocks.cli import main

if __name__ == "__main__":
    main()
