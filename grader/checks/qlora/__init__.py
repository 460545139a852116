"""The checks of the problem, a module for each stub."""
