"""The doors through which things are written and read back, a module each."""
