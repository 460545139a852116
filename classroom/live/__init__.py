"""Live questions: a room answers the quiz on its phones, votes, discusses, votes again, and sees what it believed."""
