"""What comes in: archives of the platforms and lists of the class, put in order by student."""
