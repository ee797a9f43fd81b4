"""`python -m landline`: the same as the `landline` command, for places where only the interpreter's path is known."""

from __future__ import annotations

from landline.cli.main import main

if __name__ == "__main__":
    main(prog_name="landline")
