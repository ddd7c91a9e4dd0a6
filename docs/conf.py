"""How Sphinx builds the documentation."""

project = "Threepeat"
extensions = ["myst_parser"]
exclude_patterns = ["_build", "examples"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "Retention tactics for stores", "fixed_sidebar": True}
html_show_copyright = False
