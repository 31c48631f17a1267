"""What acksim costs, measured beside a peer or a ceiling in the same run. Nothing here asserts."""
