"""One door for each outside program."""
