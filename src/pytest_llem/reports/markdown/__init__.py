"""A run in GitHub Flavored Markdown, for job summaries, comments and annotations of other hosts."""
