"""From a review to its number of stars: the smallest real task."""
