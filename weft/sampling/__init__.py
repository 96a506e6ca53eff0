"""The reverse process: sample answers to prompts, and to the questions of a file."""
