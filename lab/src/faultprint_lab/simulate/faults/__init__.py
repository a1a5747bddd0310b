"""The faults, one a file: how strong each comes, what it does to the exchanges, what follows when it ends."""
