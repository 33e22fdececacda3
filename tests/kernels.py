"""Compiles all kernels that are not kept yet, so that no two test processes do: `python -m tests.kernels`."""

import importlib

from millrace.compiled import ROOT, sources


def main() -> None:
    for path in sources():
        importlib.import_module(".".join(("millrace", *path.relative_to(ROOT).with_suffix("").parts)))


if __name__ == "__main__":
    main()
