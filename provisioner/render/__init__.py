"""Values to text. No logic, no I/O: every function takes a value and returns what to print."""
