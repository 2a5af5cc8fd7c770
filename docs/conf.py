"""The site of ``docs/``: the pages as they lie here, and the API from the docstrings."""

project = "CMCSeg"
copyright = "The CMCSeg developers"  # noqa: A001
extensions = ["myst_parser", "sphinx.ext.napoleon", "autoapi.extension"]
html_theme = "furo"
html_logo = "../Resources/CMCSeg.png"
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["measured"]
myst_heading_anchors = 3
napoleon_use_ivar = True  # a field of a class is described once, where the class is
# Read as text: nothing is imported, so that no torch, Slicer or browser is needed.
autoapi_dirs = ["../CMCSegmentation/cmcseg"]
autoapi_root = "api"
autoapi_options = ["members", "show-module-summary"]
autoapi_python_class_content = "class"
autoapi_add_toctree_entry = False
autoapi_keep_files = False
# Names of attributes in docstrings, which many classes have, are no references.
suppress_warnings = ["autoapi.python_import_resolution", "ref.python"]
