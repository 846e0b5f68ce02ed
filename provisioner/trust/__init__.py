"""Whether a project file may be followed: what it reaches and reads, held against a trust file."""
