"""Small pictures of raw data, kept beside the results, so that a report reads no trace."""
