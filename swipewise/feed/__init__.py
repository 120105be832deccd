"""The feed: sources, filters, scores, blend, diversity, selection, and why."""
