"""`make check` and `python -m grader` in this copy of the course: a sentence that says who grades."""

from grader.judge import BY_THE_INSTRUCTOR

if __name__ == "__main__":
    print(BY_THE_INSTRUCTOR)
