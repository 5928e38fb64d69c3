"""Commands of ``llem`` with subcommands or many options, each importing what it needs when it runs."""
