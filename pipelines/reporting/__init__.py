"""Reports: one HTML page, its frame and the style of its figures."""
