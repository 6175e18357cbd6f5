"""The command line of whoever runs a stage: connects channels and says what is missing. Nothing imports this room."""
