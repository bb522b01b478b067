#!/bin/sh
# Stands where k3s's installer would: see stand_in.py for what it does and what it does not.
exec "$BED_PYTHON" -S "$BED_STAND_INS/stand_in.py" install
