"""From minutes to an answer for people: what was heard, what is normal, which incidents there were, and what to do."""
