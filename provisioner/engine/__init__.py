"""The pure core: diff, order, plan, effective access, guards. No I/O, no clock, no randomness."""
