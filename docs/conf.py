"""Sphinx configuration: `make docs`."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version as installed_version

from docutils import nodes
from sphinx.application import Sphinx

# Importing Airflow writes its configuration into AIRFLOW_HOME, which must not be the builder's own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="ringevents-docs-"))

project = "airflow-provider-ringevents"
author = "The airflow-provider-ringevents contributors"
project_copyright = f"2026, {author}"
release = version = installed_version(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "generated", "upgrade-notes-template.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Names without their module, which stands above them, and long signatures with one parameter a line.
add_module_names = False
python_maximum_signature_line_length = 72
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "pydata_sphinx_theme"
html_title = "RingCentral Events for Apache Airflow"
html_theme_options = {
    "navbar_align": "right",
    "navbar_center": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
# Every page lists all pages by group.
templates_path = ["_templates"]
html_sidebars = {"**": ["all-pages"]}


def _return_of_the_task(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """Remove the return type None of ``__init__``: a class's docstring describes what its task returns."""
    for field in list(content.findall(nodes.field)):
        if kind == "class" and [part.astext() for part in field] == ["rtype", "None"]:
            field.parent.remove(field)


def setup(app: Sphinx) -> None:
    # Runs after autodoc has added the types.
    app.connect("object-description-transform", _return_of_the_task, priority=900)
