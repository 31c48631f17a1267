"""A world of processes: started, watched over and ended."""
