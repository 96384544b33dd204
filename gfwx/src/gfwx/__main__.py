"""``python -m gfwx`` is the command line."""

from gfwx.cli.main import main

# Processes that work for a batch import this module too, under another name.
if __name__ == "__main__":
    main(prog_name="gfwx")
