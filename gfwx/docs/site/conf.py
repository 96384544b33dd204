"""Settings of Sphinx for the site: `python -m nox -s docs`."""

from importlib.metadata import version as _version

project = "gfwx"
version = release = _version("gfwx")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = "gfwx"
html_show_copyright = False

default_role = "py:obj"
myst_heading_anchors = 4
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
# Blocks of the README for other libraries are marked with their names after the language.
suppress_warnings = ["misc.highlighting_failure"]
