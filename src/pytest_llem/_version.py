"""The version, apart from the package's root so that every room may know it."""

__version__ = "2.0.0.dev0"
