"""Speed as ratios within one run (`make bench`); nothing here is a test. See docs/speed.md."""
