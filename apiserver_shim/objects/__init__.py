"""What happens to an object between the edge and storage: strategies, patches, selectors."""
