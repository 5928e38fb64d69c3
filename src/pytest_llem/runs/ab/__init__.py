"""Two sides of a change, measured in turns on the same devices and compared with each other."""
