"""The stay-home pack before a storm."""
