"""What `passion COMMAND` runs: one module a command, holding a function of the same name; thin, the work is in the library."""
