"""What GitHub Actions reads in the log of a job."""
