"""The control API under `/_sim/`: what no cloud has, and a test needs."""
