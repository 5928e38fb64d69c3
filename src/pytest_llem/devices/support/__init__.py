"""What of the world's hardware can be measured, as far as this repository has evidence for it."""
