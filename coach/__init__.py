"""The coach: the way through the course to an interview."""
