"""What is wrong: judged from the index alone, without a server."""
