"""What is alike: submissions beside each other, and beside what the course knows."""
