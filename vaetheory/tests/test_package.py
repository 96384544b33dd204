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


def test_imports_neither_gfwx_nor_what_the_command_line_needs() -> None:
    others = {"gfwx", "click", "matplotlib", "rich", "safetensors", "sklearn"}
    script = "import sys, vaetheory; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    imported = run.stdout.split()
    assert "torch" in imported
    assert not others & set(imported)
