"""The stream by ticket over Arrow Flight: the server and what it shares with its clients."""
