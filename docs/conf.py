"""Sphinx configuration: `make docs`."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version as installed_version

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
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "pydata_sphinx_theme"
html_title = "RingCentral Events for Apache Airflow"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
