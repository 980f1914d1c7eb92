"""Sphinx configuration: `make docs`."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version as installed_version

from docutils import nodes
from sphinx.application import Sphinx

# Importing Airflow writes its configuration into AIRFLOW_HOME: not into the home of whoever builds the documentation.
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
exclude_patterns = ["_build", "generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

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
# The pages by group, on each page.
templates_path = ["_templates"]
html_sidebars = {"**": ["all-pages"]}


def _return_of_the_task(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """A class's docstring says what its task returns: autodoc would add that its ``__init__`` returns None."""
    for field in list(content.findall(nodes.field)):
        if kind == "class" and [part.astext() for part in field] == ["rtype", "None"]:
            field.parent.remove(field)


def setup(app: Sphinx) -> None:
    # After autodoc has added the types.
    app.connect("object-description-transform", _return_of_the_task, priority=900)
