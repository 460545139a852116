"""For instructors: collect and grade the notebooks of a class, and show what it can and cannot do yet."""
