"""``python -m pytest_llem`` is the ``llem`` command."""

from pytest_llem.cli import main

main()
