"""One disaster a file; each is found by its name."""
