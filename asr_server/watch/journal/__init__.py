"""What happened, kept in a file of the server's own: a row for each segment, each answer of a user, each change. No audio, and no text."""
