"""One file a failure story: what the operator sees, acted on a real world and checked."""
