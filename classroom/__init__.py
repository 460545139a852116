"""For instructors: notebooks handed out, collected and graded."""
