"""From readings and marks to joules: sampling, windows, phases, uncertainty."""
