"""System profiles: what is known of machines beforehand, one file a machine."""
