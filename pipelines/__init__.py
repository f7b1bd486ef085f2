"""One script a stage: read parameters and files, call ``domain``, write files. No maths here."""
