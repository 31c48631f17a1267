"""ActionTrail 2020-07-06: events of the last ninety days, looked up."""
