"""What `passion COMMAND` runs: one module a command, holding a function of its name; the work is in the library."""
