"""When a device refreshed what it shows, by when values were seen to change."""
