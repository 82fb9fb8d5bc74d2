"""The program `inn`, as the wheel installs it."""

import os
import sys


def main() -> None:
    program = os.path.join(os.path.dirname(__file__), "bin", "inn")
    os.execv(program, [program, *sys.argv[1:]])
