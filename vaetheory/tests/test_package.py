"""The package as it is installed: version, typing, and independence of gfwx."""

import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files

import vaetheory


def test_version_is_that_of_the_distribution() -> None:
    assert vaetheory.__version__ == version("vaetheory")


def test_announces_its_types() -> None:
    assert (files("vaetheory") / "py.typed").is_file()


def test_does_not_import_gfwx() -> None:
    script = "import sys, vaetheory; sys.exit('gfwx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
