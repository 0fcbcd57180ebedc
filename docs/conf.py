"""How Sphinx builds the guide: ``make docs``."""

import os
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

import sigcube

HERE = Path(__file__).parent
IPYTHON = HERE.parent / "build" / "ipython"
SETTINGS = IPYTHON / "profile_default" / "ipython_kernel_config.py"

sys.path.insert(0, str(HERE / "_ext"))
lexers["csv"] = TextLexer()

# Of the cells: the commands of this environment, and one look for all figures.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")
# Jupyter's kernels warn of each connection within this machine, and would read the settings of whoever builds.
os.environ["IPYTHONDIR"] = str(IPYTHON)
SETTINGS.parent.mkdir(parents=True, exist_ok=True)
SETTINGS.write_text("c.IPKernelApp.log_level = 40\n", encoding="utf-8")

project = "sigcube"
author = "The sigcube developers"
copyright = author
version = release = sigcube.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "guide",
]
exclude_patterns = ["_ext", "_templates", "_static"]
templates_path = ["_templates"]
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Every page is executed from nothing, in a folder of its own: a picture is never older than the code.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 300
# The notebooks are executed by the tests; they plot with scripts, and the guide has none.
nb_execution_excludepatterns = ["tutorial/notebooks/*"]
nb_merge_streams = True
nb_code_prompt_show = "What comes before: the {type}"
nb_code_prompt_hide = "Hide the {type}"

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "autolink"

html_theme = "pydata_sphinx_theme"
html_title = "sigcube"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_sourcelink_suffix = ""
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "gallery": []}
