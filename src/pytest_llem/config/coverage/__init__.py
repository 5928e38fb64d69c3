"""Which parameters of the engines an experiment can set, against committed lists of them all."""
