"""What lies in a world's data directory: its layout, its lock, its token and its sockets."""
