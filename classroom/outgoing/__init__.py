"""What goes out: gradebooks, and pages for each student and for the class."""
