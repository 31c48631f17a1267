"""SQL databases: engines, and the one runner of migrations."""
