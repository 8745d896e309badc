"""A model behind HTTP, and on a page to try it on."""
