"""Servers that speak OpenAI's protocol, measured from outside."""
