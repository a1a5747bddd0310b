"""The faults, one a module: severity, effect on the exchanges, and what follows at the end."""
