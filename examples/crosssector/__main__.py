"""`python -m examples.crosssector DIR OUT`: prepare, then say how to serve and ask."""

import argparse
import shlex
import sys
from pathlib import Path

from adapters.moment import LONDON
from examples.crosssector.prepare import Unusable, prepare
from gateway.clock import SystemClock


def main(arguments: list[str]) -> int:
    """Prepares OUT from DIR and prints the commands. 1 if DIR cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m examples.crosssector")
    parser.add_argument("dir", type=Path, help="the folder of the five CSV files")
    parser.add_argument("out", type=Path, help="the folder to write, made if needed")
    parser.add_argument("--port", type=int, default=8000, help="the gateway's port")
    given = parser.parse_args(arguments)
    today = SystemClock().now().astimezone(LONDON).date()
    try:
        remarks = prepare(given.dir, given.out, today=today, port=given.port)
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    config = shlex.quote(str(given.out / "throughline.toml"))
    for remark in remarks:
        sys.stderr.write(f"{remark}\n")
    sys.stdout.write(
        f"throughline serve --config {config}\nthroughline token --config {config}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
