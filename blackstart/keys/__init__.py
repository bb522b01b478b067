"""The Age key's life: made, shown, backed up, verified, rotated, kept out of Git (issue 5)."""
