"""Prefill and decode, told apart where that is honest."""
