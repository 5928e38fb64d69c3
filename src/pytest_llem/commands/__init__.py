"""Commands of ``llem``, one a file: thin over the library."""
