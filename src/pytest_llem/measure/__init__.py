"""What ``energy.measure`` does inside the measured process."""
